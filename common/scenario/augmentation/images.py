"""What is made of images: their kinds in `training.augmentation`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.scenario.augmentation.base import AugmentationPart
from common.scenario.base import key, refuse

Positive = Annotated[float, Field(gt=0)]
Pair = tuple[Positive, Positive]


class ImageAugmentation(AugmentationPart):
    """One that changes images."""


class Geometric(ImageAugmentation):
    """One that only moves pixels: several in a row are resampled once."""


class Rotation(Geometric, name="rotation", runs="clients.augmentation.images.geometry:rotation"):
    """Images: turned about the middle."""

    degrees: float = key("The angle is drawn between minus and plus this.", 15.0, unit="degrees", ge=0, le=180)


class Shift(Geometric, name="shift", runs="clients.augmentation.images.geometry:shift"):
    """Images: moved sideways and up or down."""

    fraction: float = key(
        "Either way is drawn between minus and plus this.", 0.1, unit="of the width and of the height", ge=0, le=1
    )


class Crop(Geometric, name="crop", runs="clients.augmentation.images.geometry:crop"):
    """Images: padded with black on all sides and cut back to their size at a random place."""

    padding: int = key("How many black pixels on each side.", 2, unit="pixels", ge=0, le=1024)


class Flip(Geometric, name="flip", runs="clients.augmentation.images.geometry:flip"):
    """Images: mirrored."""

    direction: Literal["horizontal", "vertical"] = key(
        "horizontal exchanges left and right, vertical top and bottom.", "horizontal"
    )


class Scale(Geometric, name="scale", runs="clients.augmentation.images.geometry:scale"):
    """Images: made larger or smaller about the middle."""

    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.1, unit="fraction", ge=0, lt=1)


class Shear(Geometric, name="shear", runs="clients.augmentation.images.geometry:shear"):
    """Images: slanted, their lines moved sideways in proportion to their distance from the middle."""

    degrees: float = key("The slant is drawn between minus and plus this.", 10.0, unit="degrees", ge=0, lt=90)


class Brightness(ImageAugmentation, name="brightness", runs="clients.augmentation.images.light:brightness"):
    """Images: every pixel multiplied by one factor."""

    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)


class Contrast(ImageAugmentation, name="contrast", runs="clients.augmentation.images.light:contrast"):
    """Images: every pixel's distance from the image's mean brightness multiplied by one factor."""

    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)


class ColorJitter(ImageAugmentation, name="color_jitter", runs="clients.augmentation.images.color:color_jitter"):
    """Colour images: brightness, contrast, saturation and hue changed, in this order."""

    brightness: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    contrast: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    saturation: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    hue: float = key(
        "The turn is drawn between minus and plus this.", 0.05, unit="of the circle of colours", ge=0, le=0.5
    )


class Noise(ImageAugmentation, name="noise", runs="clients.augmentation.images.noise:noise"):
    """Images: normal noise on every pixel."""

    sigma: float = key("The noise's standard deviation.", 0.05, unit="of white", ge=0)


class Blur(ImageAugmentation, name="blur", runs="clients.augmentation.images.blur:blur"):
    """Images: out of focus, by a Gaussian of a random width."""

    sigma: float = key("Its standard deviation is drawn between 0 and this.", 1.0, unit="pixels", ge=0, le=50)


class Erasing(ImageAugmentation, name="erasing", runs="clients.augmentation.images.erasing:erasing"):
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
