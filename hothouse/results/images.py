"""Rows as pictures inside a page."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.images import image_shape


def is_image(shape: tuple[int, ...] | list[int]) -> bool:
    """Whether examples of this shape can be shown: (height, width), or with 1 or 3 channels first or last."""
    found = image_shape(shape)
    return found is not None and found.channels in (1, 3)


def data_uri(row: NDArray[Any], shape: tuple[int, ...] | list[int], limits: tuple[float, float]) -> str:
    """A flattened example as a PNG in a data: URI; `limits` become black and white."""
    return grid_uri(row[None], shape, limits, 1)


def grid_uri(
    rows: NDArray[Any],
    shape: tuple[int, ...] | list[int],
    limits: tuple[float, float],
    across: int,
    enlarged: int = 1,
) -> str:
    """Flattened examples as one PNG in a data: URI, as `image_grid` puts them."""
    return "data:image/png;base64," + base64.b64encode(image_grid(rows, shape, limits, across, enlarged)).decode()


def image_grid(
    rows: NDArray[Any],
    shape: tuple[int, ...] | list[int],
    limits: tuple[float, float],
    across: int,
    enlarged: int = 1,
) -> bytes:
    """Flattened examples (examples, numbers) as a PNG, `across` in a line, a pixel of grey between them.

    `limits` become black and white. Each pixel is a square of `enlarged` × `enlarged`.
    """
    found, pictures = image_shape(shape), rows.reshape(len(rows), *shape).astype(np.float64)
    if found is not None and pictures.ndim == 4 and not found.channels_last:
        pictures = pictures.transpose(0, 2, 3, 1)
    low, high = limits
    scaled = np.clip(np.nan_to_num((pictures - low) / max(high - low, 1e-12)) * 255, 0, 255).astype(np.uint8)
    if scaled.ndim == 4 and scaled.shape[3] == 1:
        scaled = scaled[..., 0]
    scaled = scaled.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    (count, height, width), lines = scaled.shape[:3], -(-len(scaled) // across)
    whole = np.full((lines * (height + 1) - 1, across * (width + 1) - 1, *scaled.shape[3:]), 128, np.uint8)
    for place in range(count):
        top, left = place // across * (height + 1), place % across * (width + 1)
        whole[top : top + height, left : left + width] = scaled[place]
    return _png(whole)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (height, width) or (height, width, 3) as PNG (ISO/IEC 15948)."""
    height, width = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    chunks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
