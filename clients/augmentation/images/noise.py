"""Normal noise on every pixel."""

from __future__ import annotations

from torch import Tensor

from clients.augmentation.draws import normals
from clients.augmentation.images.pixels import Drawn, limited
from common.scenario.augmentation.images import Noise


def noise(spec: Noise, pixels: Tensor, drawn: Drawn) -> Tensor:
    """x + sigma·white·z, z standard normal."""
    z = normals(drawn.keys, pixels[0].numel()).view(pixels.shape).to(pixels.dtype)
    return limited(pixels.add_(z, alpha=spec.sigma * drawn.unit), drawn.white)
