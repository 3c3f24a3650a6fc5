"""Light: brightness and contrast.

Pixels are (images, channels, height, width) and are changed in place; `factor` has one number for each image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.augmentation.images.pixels import Drawn, grey, limited
from common.scenario.augmentation.images import Brightness, Contrast


def brightness(spec: Brightness, pixels: Tensor, drawn: Drawn) -> Tensor:
    """Every pixel times a factor between 1 ± amount."""
    return brightened(pixels, drawn.factor(0, spec.amount), drawn.white)


def contrast(spec: Contrast, pixels: Tensor, drawn: Drawn) -> Tensor:
    """Every pixel's distance from the image's mean grey times a factor between 1 ± amount."""
    return contrasted(pixels, drawn.factor(0, spec.amount), drawn.white)


def brightened(pixels: Tensor, factor: Tensor, white: float | None) -> Tensor:
    """f x."""
    return limited(pixels.mul_(factor), white)


def contrasted(pixels: Tensor, factor: Tensor, white: float | None) -> Tensor:
    """m + f (x − m), m the mean of the grey image."""
    mean = grey(pixels).mean(dim=(1, 2, 3), keepdim=True)
    return limited(torch.lerp(mean, pixels, factor, out=pixels), white)
