"""Affine maps of images: composed first, then every image resampled once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Maps = NDArray[np.float64]
"""For each image the matrix [A | b] of p ↦ A p + b, shape (images, 2, 3): from a place in the result to the place
in the original that it shows. Places are in pixels from the image's middle, x to the right, y down."""


def identity(images: int) -> Maps:
    """Maps that change nothing."""
    return np.tile(np.eye(2, 3), (images, 1, 1))


Entry = NDArray[np.float64] | float


def linear(a: Entry, b: Entry, c: Entry, d: Entry, images: int) -> Maps:
    """The maps with A = [[a, b], [c, d]]; each entry a number or one for each image."""
    maps = np.zeros((images, 2, 3))
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1] = a, b, c, d
    return maps


def moved(x: NDArray[np.float64], y: NDArray[np.float64]) -> Maps:
    """The maps that show at each place what lies (x, y) further on."""
    maps = identity(len(x))
    maps[:, 0, 2], maps[:, 1, 2] = x, y
    return maps


def composed(outer: Maps, inner: Maps) -> Maps:
    """p ↦ outer(inner(p))."""
    result: Maps = outer[:, :, :2] @ inner
    result[:, :, 2] += outer[:, :, 2]
    return result


def resampled(pixels: Tensor, maps: Maps) -> Tensor:
    """Images (images, channels, height, width) as the maps show them, bilinearly; what lies outside is 0."""
    height, width = pixels.shape[2:]
    x = torch.arange(width, dtype=pixels.dtype) - (width - 1) / 2
    y = torch.arange(height, dtype=pixels.dtype) - (height - 1) / 2
    # PyTorch's grids run from −1 to 1: the middles of the first and the last pixel or, where these are one, its edges.
    corners = height > 1 and width > 1
    unit = np.array([2 / (width - corners), 2 / (height - corners)])[:, None]
    across, down, apart = torch.from_numpy(maps * unit).to(pixels.dtype)[..., None, None].unbind(dim=2)
    # One product at a time: a matrix product would round by how many images there are.
    grid = torch.add(across * x, down * y[:, None]).add_(apart)
    return F.grid_sample(
        pixels,
        grid.permute(0, 2, 3, 1),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=corners,
    )
