"""Several augmentations of images in a row, on flattened images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clients.augmentation.chosen import PlacedAugmentation, change_some
from common import seeds
from common.augmentation.geometry import identity
from common.data.images import ImageShape
from common.draws import PixelRandom
from common.scenario.augmentation import GeometricAugmentation

Maps = NDArray[np.float64]
"""For each image the matrix [A | b], shape (images, 2, 3): see `common.scenario.augmentation.Maps`."""

_MOST = 0.75
"""Where so large a part of the images moves, the others are put back afterwards: that copies less."""


class Images:
    """Turns examples into images, changes them, and turns them back.

    Augmentations that only move pixels and follow one another are composed into one map, and images resampled
    once: nothing is blurred twice, and what leaves the image in between is not lost. Missing pixels stay missing;
    they move with the image, and the image's mean takes their place in all arithmetic.
    """

    def __init__(self, augmentations: Sequence[PlacedAugmentation], shape: ImageShape, white: float | None) -> None:
        self._shape, self._white = shape, white
        self._groups = [
            (moving, list(group))
            for moving, group in groupby(augmentations, lambda one: isinstance(one.spec, GeometricAugmentation))
        ]

    def __call__(self, x: Tensor, keys: seeds.Streams) -> Tensor:
        """Examples (examples, raw features), which may be changed in place."""
        pixels, gaps = self._pixels(x), torch.empty(0)
        # A sum is NaN where a number is, and quickly told.
        missing = bool(pixels.sum().isnan())
        if missing:
            gaps = pixels.isnan()
            mean = pixels.nanmean(dim=(1, 2, 3), keepdim=True).nan_to_num(0.0)
            pixels = torch.where(gaps, mean, pixels)
        for moving, group in self._groups:
            if not moving:
                for one in group:
                    pixels = one.on(pixels, keys, self._changed)
                continue
            maps, moves = self._maps(group, keys)
            pixels = _moved(pixels, maps, moves)
            if missing:
                gaps = _moved(gaps.to(pixels.dtype), maps, moves) >= 0.5
        return self._flattened(pixels.masked_fill(gaps, torch.nan) if missing else pixels)

    def _changed(self, spec: Any, some: Tensor, own: seeds.Streams) -> Tensor:
        changed: Tensor = spec.change(some, PixelRandom(own, self._white, some.dtype))
        return changed

    def _maps(self, group: list[PlacedAugmentation], keys: seeds.Streams) -> tuple[Maps, NDArray[np.bool_]]:
        """Each image's map, and which images it moves."""
        maps, moved = identity(len(keys)), np.zeros(len(keys), dtype=bool)
        for one in group:
            hit, own = one.chosen(keys)
            inner = one.spec.maps(seeds.uniforms(own, 2), self._shape.height, self._shape.width)
            maps[hit] = compose_maps(maps[hit], inner)
            moved[hit] = True
        return maps, moved

    def _pixels(self, x: Tensor) -> Tensor:
        """Examples as (examples, channels, height, width)."""
        shape = self._shape
        if shape.channels_last:
            return x.view(len(x), shape.height, shape.width, shape.channels).permute(0, 3, 1, 2)
        return x.view(len(x), shape.channels, shape.height, shape.width)

    def _flattened(self, pixels: Tensor) -> Tensor:
        """Images as flat examples again."""
        return (pixels.permute(0, 2, 3, 1) if self._shape.channels_last else pixels).reshape(len(pixels), -1)


def _moved(pixels: Tensor, maps: Maps, moves: NDArray[np.bool_]) -> Tensor:
    """Images (images, channels, height, width) as the maps show them, those that do not move as they were."""
    if moves.mean() < _MOST:
        return change_some(pixels, np.flatnonzero(moves), partial(resample, maps=maps[moves]))
    still = torch.from_numpy(np.flatnonzero(~moves))
    return resample(pixels, maps).index_copy_(0, still, pixels.index_select(0, still))


def compose_maps(outer: Maps, inner: Maps) -> Maps:
    """p ↦ outer(inner(p))."""
    result: Maps = outer[:, :, :2] @ inner
    result[:, :, 2] += outer[:, :, 2]
    return result


def resample(pixels: Tensor, maps: Maps) -> Tensor:
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
