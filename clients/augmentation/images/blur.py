"""Out of focus: a Gaussian of a width of its own over every image."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from clients.augmentation.images.pixels import Drawn
from common.scenario.augmentation.images import Blur

_REACH = 3.0
"""Standard deviations to each side that are added up."""


def blur(spec: Blur, pixels: Tensor, drawn: Drawn) -> Tensor:
    """x * g along lines, then along columns; g(k) ∝ exp(−k²/2s²), s between 0 and sigma; the border is repeated."""
    reach = math.ceil(_REACH * spec.sigma)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    # So narrow a Gaussian is the pixel itself.
    widths = torch.from_numpy(drawn.uniforms(1) * spec.sigma).clamp_min(1e-6)
    weights = torch.exp(-0.5 * (steps / widths) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).to(pixels.dtype)
    return _along(_along(pixels, weights, 3), weights, 2)


def _along(pixels: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Images (images, channels, height, width) weighed along an axis by (images, 2 reach + 1)."""
    reach, size = weights.shape[1] // 2, pixels.shape[axis]
    padding = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
    padded = functional.pad(pixels, padding, mode="replicate")
    added = torch.zeros_like(pixels)
    for place in range(2 * reach + 1):
        added.addcmul_(padded.narrow(axis, place, size), weights[:, place].view(-1, 1, 1, 1))
    return added
