"""Where a changed image's pixels come from: rotation, shift, crop, flip, scale and shear.

Each function takes `u`, numbers in [0, 1) of shape (images, 2), and an image's height and width in pixels, and
returns the maps from places in the result to places in the original.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clients.augmentation.images.affine import Maps, linear, moved
from common.scenario.augmentation.images import Crop, Flip, Rotation, Scale, Shear, Shift

Uniforms = NDArray[np.float64]


def rotation(spec: Rotation, u: Uniforms, height: int, width: int) -> Maps:
    """Counter-clockwise by an angle between ± degrees."""
    angle = np.radians(_between(u[:, 0], spec.degrees))
    cos, sin = np.cos(angle), np.sin(angle)
    return linear(cos, -sin, sin, cos, len(u))


def shift(spec: Shift, u: Uniforms, height: int, width: int) -> Maps:
    """To the right and down by ± fraction of the width and height."""
    return moved(-_between(u[:, 0], spec.fraction * width), -_between(u[:, 1], spec.fraction * height))


def crop(spec: Crop, u: Uniforms, height: int, width: int) -> Maps:
    """By whole pixels, each of −padding … padding as likely as the other."""
    steps = np.floor(u * (2 * spec.padding + 1)) - spec.padding
    return moved(steps[:, 0], steps[:, 1])


def flip(spec: Flip, u: Uniforms, height: int, width: int) -> Maps:
    """Always: whether an image is flipped is up to the probability."""
    across = spec.direction == "horizontal"
    return linear(-1.0 if across else 1.0, 0.0, 0.0, 1.0 if across else -1.0, len(u))


def scale(spec: Scale, u: Uniforms, height: int, width: int) -> Maps:
    """By a factor between 1 ± amount."""
    back = 1 / (1 + _between(u[:, 0], spec.amount))
    return linear(back, 0.0, 0.0, back, len(u))


def shear(spec: Shear, u: Uniforms, height: int, width: int) -> Maps:
    """x ← x + y tan φ for an angle φ between ± degrees."""
    return linear(1.0, -np.tan(np.radians(_between(u[:, 0], spec.degrees))), 0.0, 1.0, len(u))


def _between(u: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """From −most to most."""
    return (2 * u - 1) * most
