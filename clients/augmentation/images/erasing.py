"""Random erasing (Zhong et al. 2020, algorithm 1)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.augmentation.images.pixels import Drawn
from common.scenario.augmentation.images import Erasing


def erasing(spec: Erasing, pixels: Tensor, drawn: Drawn) -> Tensor:
    """Paint a rectangle over in each image; one that is too long for the image is cut to its size."""
    top, left, tall, wide = rectangles(spec, drawn.uniforms(4), *pixels.shape[2:])
    lines = _inside(top, tall, pixels.shape[2])[:, None, :, None].to(pixels.dtype)
    columns = _inside(left, wide, pixels.shape[3])[:, None, None, :].to(pixels.dtype)
    # Arithmetic is several times as fast as masks here.
    pixels.mul_(torch.addcmul(torch.ones((), dtype=pixels.dtype), lines, columns, value=-1))
    return pixels.addcmul_(lines, columns, value=spec.value * drawn.unit) if spec.value else pixels


def rectangles(spec: Erasing, u: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[np.float64], ...]:
    """Where the rectangles begin, their heights and widths, in pixels, each (images,), from numbers in [0, 1).

    At least one pixel; the place is any where the rectangle fits.
    """
    area = height * width * (spec.area[0] + u[:, 0] * (spec.area[1] - spec.area[0]))
    low, high = np.log(spec.aspect)
    aspect = np.exp(low + u[:, 1] * (high - low))
    tall = np.clip(np.rint(np.sqrt(area * aspect)), 1, height)
    wide = np.clip(np.rint(np.sqrt(area / aspect)), 1, width)
    return np.floor(u[:, 2] * (height - tall + 1)), np.floor(u[:, 3] * (width - wide + 1)), tall, wide


def _inside(start: NDArray[np.float64], length: NDArray[np.float64], size: int) -> Tensor:
    """Which of 0 … size − 1 lie in each span, (images, size)."""
    places = np.arange(size)
    return torch.from_numpy((places >= start[:, None]) & (places < (start + length)[:, None]))
