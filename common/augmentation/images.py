"""Images whose pixels change in value: light, colours, noise, blur, erased rectangles.

Pixels are (images, channels, height, width) and are changed in place where that is quicker.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from common.scenario.augmentation import ImageAugmentation
from common.scenario.base import key, refuse

if TYPE_CHECKING:
    # Reading options does without PyTorch.
    from torch import Tensor

    from common.draws import PixelRandom

Positive = Annotated[float, Field(gt=0)]
Pair = tuple[Positive, Positive]

_LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are to the eye (ITU-R BT.601)."""
_REACH = 3.0
"""Standard deviations of a blur to each side that are added up."""


class Brightness(ImageAugmentation, name="brightness"):
    """Images: every pixel multiplied by one factor."""

    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """f x, f between 1 ± amount."""
        return adjust_brightness(pixels, random.factor(0, self.amount), random.white)


class Contrast(ImageAugmentation, name="contrast"):
    """Images: every pixel's distance from the image's mean brightness multiplied by one factor."""

    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """m + f (x − m), m the mean of the grey image, f between 1 ± amount."""
        return adjust_contrast(pixels, random.factor(0, self.amount), random.white)


class ColorJitter(ImageAugmentation, name="color_jitter"):
    """Colour images: brightness, contrast, saturation and hue changed, in this order."""

    colors_only: ClassVar[bool] = True

    brightness: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    contrast: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    saturation: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    hue: float = key(
        "The turn is drawn between minus and plus this.", 0.05, unit="of the circle of colours", ge=0, le=0.5
    )

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """The four in this order, by factors between 1 ± the amount and a turn between ± hue."""
        pixels = adjust_brightness(pixels, random.factor(0, self.brightness), random.white)
        pixels = adjust_contrast(pixels, random.factor(1, self.contrast), random.white)
        pixels = adjust_saturation(pixels, random.factor(2, self.saturation), random.white)
        return rotate_hue(pixels, random.between(3, self.hue)) if self.hue else pixels


class Noise(ImageAugmentation, name="noise"):
    """Images: normal noise on every pixel."""

    sigma: float = key("The noise's standard deviation.", 0.05, unit="of white", ge=0)

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """x + sigma·white·z, z standard normal."""
        z = random.normals(pixels[0].numel()).view(pixels.shape).to(pixels.dtype)
        return clamp_pixels(pixels.add_(z, alpha=self.sigma * random.unit), random.white)


class Blur(ImageAugmentation, name="blur"):
    """Images: out of focus, by a Gaussian of a random width."""

    sigma: float = key("Its standard deviation is drawn between 0 and this.", 1.0, unit="pixels", ge=0, le=50)

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """x * g along lines, then along columns; g(k) ∝ exp(−k²/2s²), s between 0 and sigma; the border is repeated."""
        import torch

        reach = math.ceil(_REACH * self.sigma)
        steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
        # So narrow a Gaussian is the pixel itself.
        widths = torch.from_numpy(random.uniforms(1) * self.sigma).clamp_min(1e-6)
        weights = torch.exp(-0.5 * (steps / widths) ** 2)
        weights = (weights / weights.sum(dim=1, keepdim=True)).to(pixels.dtype)
        return _weighed_along(_weighed_along(pixels, weights, 3), weights, 2)


class Erasing(ImageAugmentation, name="erasing"):
    """Images: a rectangle at a random place painted over (Zhong et al. 2020)."""

    area: Pair = key("The smallest and the largest rectangle.", (0.02, 0.2), unit="of the image", strict=False)
    aspect: Pair = key(
        "The least and the most height for its width; drawn evenly on a logarithmic scale.", (0.3, 3.3), strict=False
    )
    value: float = key("What it is painted with: 0 is black, 1 is white.", 0.0, unit="of white", ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Erasing:
        for name in ("area", "aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise refuse(name, "the smaller number first")
        if self.area[1] > 1:
            raise refuse("area", "numbers of at most 1, the whole image")
        return self

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """Algorithm 1; a rectangle that is too long for the image is cut to its size."""
        top, left, tall, wide = self.rectangles(random.uniforms(4), *pixels.shape[2:])
        lines = pixels.new_tensor(_inside(top, tall, pixels.shape[2]))[:, None, :, None]
        columns = pixels.new_tensor(_inside(left, wide, pixels.shape[3]))[:, None, None, :]
        # Arithmetic is several times as fast as masks here.
        pixels.mul_(pixels.new_ones(()).addcmul(lines, columns, value=-1))
        return pixels.addcmul_(lines, columns, value=self.value * random.unit) if self.value else pixels

    def rectangles(self, u: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[np.float64], ...]:
        """Where the rectangles begin, their heights and widths, in pixels, each (images,), from numbers in [0, 1).

        At least one pixel; the place is any where the rectangle fits.
        """
        area = height * width * (self.area[0] + u[:, 0] * (self.area[1] - self.area[0]))
        low, high = np.log(self.aspect)
        aspect = np.exp(low + u[:, 1] * (high - low))
        tall = np.clip(np.rint(np.sqrt(area * aspect)), 1, height)
        wide = np.clip(np.rint(np.sqrt(area / aspect)), 1, width)
        return np.floor(u[:, 2] * (height - tall + 1)), np.floor(u[:, 3] * (width - wide + 1)), tall, wide


def to_grey(pixels: Tensor) -> Tensor:
    """The brightness of pixels, (images, 1, height, width)."""
    if pixels.shape[1] != len(_LUMA):
        return pixels.mean(dim=1, keepdim=True) if pixels.shape[1] > 1 else pixels
    return (pixels * pixels.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def clamp_pixels(pixels: Tensor, white: float | None) -> Tensor:
    """Pixels with what is darker than black or lighter than white cut off, in place."""
    return pixels if white is None else pixels.clamp_(0, white)


def adjust_brightness(pixels: Tensor, factor: Tensor, white: float | None) -> Tensor:
    """f x; `factor` has one number for each image."""
    return clamp_pixels(pixels.mul_(factor), white)


def adjust_contrast(pixels: Tensor, factor: Tensor, white: float | None) -> Tensor:
    """m + f (x − m), m the mean of the grey image."""
    import torch

    mean = to_grey(pixels).mean(dim=(1, 2, 3), keepdim=True)
    return clamp_pixels(torch.lerp(mean, pixels, factor, out=pixels), white)


def adjust_saturation(pixels: Tensor, factor: Tensor, white: float | None) -> Tensor:
    """g + f (x − g), g the pixel's grey."""
    import torch

    return clamp_pixels(torch.lerp(to_grey(pixels), pixels, factor, out=pixels), white)


def rotate_hue(pixels: Tensor, turn: Tensor) -> Tensor:
    """The hue turned by `turn` of the full circle, (images, 1, 1, 1); saturation and value stay (Smith 1978).

    With v the largest and m the smallest of a pixel's three values, and h its hue, a channel is
    v − (v − m) max(0, min(k, 4 − k, 1)), k = (n + 6h) mod 6, where n is 5 for red, 3 for green and 1 for blue.
    """
    import torch

    value, strongest = pixels.max(dim=1, keepdim=True)
    chroma = value - pixels.amin(dim=1, keepdim=True)
    red, green, blue = pixels.unbind(dim=1)
    apart = torch.stack([green - blue, blue - red, red - green], dim=1).gather(1, strongest)
    # Without chroma there is no hue: any will do.
    sixths = 2 * strongest + apart / torch.where(chroma > 0, chroma, 1)
    k = (pixels.new_tensor([5, 3, 1]).view(1, 3, 1, 1) + sixths + 6 * turn) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def _weighed_along(pixels: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Images (images, channels, height, width) weighed along an axis by (images, 2 reach + 1)."""
    from torch.nn import functional

    reach, size = weights.shape[1] // 2, pixels.shape[axis]
    padding = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
    padded = functional.pad(pixels, padding, mode="replicate")
    added = pixels.new_zeros(pixels.shape)
    for place in range(2 * reach + 1):
        added.addcmul_(padded.narrow(axis, place, size), weights[:, place].view(-1, 1, 1, 1))
    return added


def _inside(start: NDArray[np.float64], length: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """Which of 0 … size − 1 lie in each span, (images, size)."""
    places = np.arange(size)
    return (places >= start[:, None]) & (places < (start + length)[:, None])
