"""Rows that are images: how a flattened row's numbers make up channels, lines and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_CHANNELS = 4


@dataclass(frozen=True)
class ImageShape:
    """An image's size, and whether its channels come last in a row."""

    channels: int
    height: int
    width: int
    channels_last: bool


def image_shape(row_shape: Sequence[int]) -> ImageShape | None:
    """The image in rows of this shape; None where they are no images.

    An image is (height, width), or has up to four channels first or last.
    """
    if len(row_shape) == 2 and min(row_shape) > 1:
        return ImageShape(1, row_shape[0], row_shape[1], False)
    if len(row_shape) == 3:
        first, middle, last = row_shape
        if first <= _MOST_CHANNELS < last:
            return ImageShape(first, middle, last, False)
        if last <= _MOST_CHANNELS:
            return ImageShape(last, first, middle, True)
    return None
