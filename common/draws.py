"""What augmentations draw: uniform and normal numbers for many examples at once, or one after the other for a text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common import seeds

if TYPE_CHECKING:
    # Augmentations' options are read without PyTorch.
    import torch
    from torch import Tensor

_LEVELS = 1 << 16
_WORD = (1 << 64) - 1


def normals(keys: seeds.Streams, count: int) -> Tensor:
    """Standard normal numbers from each stream: float32 of shape (len(keys), count).

    Each is the normal distribution's quantile at the middle of one of 65,536 equal parts, so none lies beyond
    ±4.3: a table that stays in a core's cache is faster than any formula.
    """
    return _normals(lanes(keys, count))


def normals_and_uniforms(keys: seeds.Streams, normal: int, uniform: int) -> tuple[Tensor, Tensor]:
    """Standard normal numbers from each stream and, behind them, uniform ones: float32, (len(keys), so many) both.

    They are independent: each has bits of its own. Uniform numbers are the middles of 65,536 equal parts of [0, 1].
    """
    import torch

    drawn = lanes(keys, normal + uniform)
    numbers = drawn[:, normal:].astype(np.float32)
    numbers += np.float32(0.5)
    numbers *= np.float32(1 / _LEVELS)
    return _normals(drawn[:, :normal]), torch.from_numpy(numbers)


def _normals(drawn: NDArray[np.uint16]) -> Tensor:
    import torch

    places = torch.from_numpy(drawn.astype(np.int32)).view(-1)
    return _quantiles().index_select(0, places).view(drawn.shape)


def lanes(keys: seeds.Streams, count: int) -> NDArray[np.uint16]:
    """16 random bits for each of `count` numbers of each stream: four from each of its values, the lowest first."""
    drawn = seeds.bits(keys, -(-count // 4)).astype("<u8", copy=False)
    found: NDArray[np.uint16] = drawn.view("<u2")[:, :count]
    return found


@lru_cache(maxsize=1)
def _quantiles() -> Tensor:
    import torch

    middles = (torch.arange(_LEVELS, dtype=torch.float64) + 0.5) / _LEVELS
    found = torch.special.ndtri(middles)
    # The middles leave a little of the variance out.
    scaled: Tensor = (found / found.square().mean().sqrt()).float()
    return scaled


@dataclass(frozen=True)
class PixelRandom:
    """What a change of images draws from, a stream for each image, and what stands for white."""

    keys: seeds.Streams
    white: float | None
    """None where values go below 0: they are then not limited, and their unit is 1."""
    dtype: torch.dtype

    @property
    def unit(self) -> float:
        """The distance between black and white."""
        return 1.0 if self.white is None else self.white

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """Numbers in [0, 1), (images, count)."""
        return seeds.uniforms(self.keys, count)

    def normals(self, count: int) -> Tensor:
        """Standard normal numbers, (images, count), float32."""
        return normals(self.keys, count)

    def between(self, place: int, most: float) -> Tensor:
        """The stream's number at `place`, from −most to most, in a shape to go with pixels: (images, 1, 1, 1)."""
        import torch

        u = self.uniforms(place + 1)[:, place]
        return torch.from_numpy((2 * u - 1) * most).to(self.dtype).view(-1, 1, 1, 1)

    def factor(self, place: int, amount: float) -> Tensor:
        """The stream's number at `place`, from 1 − amount to 1 + amount: (images, 1, 1, 1)."""
        return self.between(place, amount).add_(1)


class TextRandom:
    """Draws one after the other from one stream: value i is `seeds.bits(key, i)[-1]`."""

    def __init__(self, key: int) -> None:
        self._state = key

    def uniform(self) -> float:
        """A number in [0, 1)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _WORD
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def below(self, count: int) -> int:
        """One of 0 … count − 1."""
        return int(self.uniform() * count)

    def order(self, count: int) -> list[int]:
        """The numbers 0 … count − 1 in random order."""
        drawn = [self.uniform() for _ in range(count)]
        return sorted(range(count), key=drawn.__getitem__)

    def hits(self, count: int, rate: float) -> Iterator[int]:
        """Those of 0 … count − 1 that are hit, each with chance `rate`, ascending.

        Draws only how far it is from one hit to the next, which has a geometric distribution.
        """
        if rate <= 0:
            return
        miss = math.log1p(-rate) if rate < 1 else -math.inf
        at = 0
        while (skipped := math.log(1 - self.uniform()) / miss) < count - at:
            at += int(skipped)
            yield at
            at += 1
