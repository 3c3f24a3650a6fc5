"""Images whose pixels move: rotation, shift, crop, flip, scale and shear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from common.scenario.augmentation import GeometricAugmentation
from common.scenario.base import key

if TYPE_CHECKING:
    from common.scenario.augmentation import Maps, Uniforms

Entry = NDArray[np.float64] | float


def identity(images: int) -> Maps:
    """Maps that change nothing."""
    return np.tile(np.eye(2, 3), (images, 1, 1))


def linear(a: Entry, b: Entry, c: Entry, d: Entry, images: int) -> Maps:
    """The maps with A = [[a, b], [c, d]]; each entry a number or one for each image."""
    maps = np.zeros((images, 2, 3))
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1] = a, b, c, d
    return maps


def translation(x: NDArray[np.float64], y: NDArray[np.float64]) -> Maps:
    """The maps that show at each place what lies (x, y) further on."""
    maps = identity(len(x))
    maps[:, 0, 2], maps[:, 1, 2] = x, y
    return maps


class Rotation(GeometricAugmentation, name="rotation"):
    """Images: turned about the middle."""

    degrees: float = key("The angle is drawn between minus and plus this.", 15.0, unit="degrees", ge=0, le=180)

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """Counter-clockwise by an angle between ± degrees."""
        angle = np.radians(_between(u[:, 0], self.degrees))
        cos, sin = np.cos(angle), np.sin(angle)
        return linear(cos, -sin, sin, cos, len(u))


class Shift(GeometricAugmentation, name="shift"):
    """Images: moved sideways and up or down."""

    fraction: float = key(
        "Either way is drawn between minus and plus this.", 0.1, unit="of the width and of the height", ge=0, le=1
    )

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """To the right and down by ± fraction of the width and height."""
        return translation(-_between(u[:, 0], self.fraction * width), -_between(u[:, 1], self.fraction * height))


class Crop(GeometricAugmentation, name="crop"):
    """Images: padded with black on all sides and cut back to their size at a random place."""

    padding: int = key("How many black pixels on each side.", 2, unit="pixels", ge=0, le=1024)

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """By whole pixels, each of −padding … padding as likely as the other."""
        steps = np.floor(u * (2 * self.padding + 1)) - self.padding
        return translation(steps[:, 0], steps[:, 1])


class Flip(GeometricAugmentation, name="flip"):
    """Images: mirrored."""

    direction: Literal["horizontal", "vertical"] = key(
        "horizontal exchanges left and right, vertical top and bottom.", "horizontal"
    )

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """Always: whether an image is flipped is up to the probability."""
        across = self.direction == "horizontal"
        return linear(-1.0 if across else 1.0, 0.0, 0.0, 1.0 if across else -1.0, len(u))


class Scale(GeometricAugmentation, name="scale"):
    """Images: made larger or smaller about the middle."""

    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.1, unit="fraction", ge=0, lt=1)

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """By a factor between 1 ± amount."""
        back = 1 / (1 + _between(u[:, 0], self.amount))
        return linear(back, 0.0, 0.0, back, len(u))


class Shear(GeometricAugmentation, name="shear"):
    """Images: slanted, their lines moved sideways in proportion to their distance from the middle."""

    degrees: float = key("The slant is drawn between minus and plus this.", 10.0, unit="degrees", ge=0, lt=90)

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """x ← x + y tan φ for an angle φ between ± degrees."""
        return linear(1.0, -np.tan(np.radians(_between(u[:, 0], self.degrees))), 0.0, 1.0, len(u))


def _between(u: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """From −most to most."""
    return (2 * u - 1) * most
