"""Colours: brightness, contrast, saturation and hue."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.augmentation.images.light import brightened, contrasted
from clients.augmentation.images.pixels import Drawn, grey, limited
from common.scenario.augmentation.images import ColorJitter


def color_jitter(spec: ColorJitter, pixels: Tensor, drawn: Drawn) -> Tensor:
    """The four in this order, by factors between 1 ± the amount and a turn between ± hue."""
    pixels = brightened(pixels, drawn.factor(0, spec.brightness), drawn.white)
    pixels = contrasted(pixels, drawn.factor(1, spec.contrast), drawn.white)
    pixels = saturated(pixels, drawn.factor(2, spec.saturation), drawn.white)
    return turned(pixels, drawn.between(3, spec.hue)) if spec.hue else pixels


def saturated(pixels: Tensor, factor: Tensor, white: float | None) -> Tensor:
    """g + f (x − g), g the pixel's grey."""
    return limited(torch.lerp(grey(pixels), pixels, factor, out=pixels), white)


def turned(pixels: Tensor, turn: Tensor) -> Tensor:
    """The hue turned by `turn` of the full circle, (images, 1, 1, 1); saturation and value stay (Smith 1978).

    With v the largest and m the smallest of a pixel's three values, and h its hue, a channel is
    v − (v − m) max(0, min(k, 4 − k, 1)), k = (n + 6h) mod 6, where n is 5 for red, 3 for green and 1 for blue.
    """
    value, strongest = pixels.max(dim=1, keepdim=True)
    chroma = value - pixels.amin(dim=1, keepdim=True)
    red, green, blue = pixels.unbind(dim=1)
    apart = torch.stack([green - blue, blue - red, red - green], dim=1).gather(1, strongest)
    # Without chroma there is no hue: any will do.
    sixths = 2 * strongest + apart / torch.where(chroma > 0, chroma, 1)
    k = (torch.tensor([5, 3, 1], dtype=pixels.dtype).view(1, 3, 1, 1) + sixths + 6 * turn) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)
