"""What changes of pixels' values have in common: their draws, the grey of colours, the limits of light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common import seeds

_LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are to the eye (ITU-R BT.601)."""


@dataclass(frozen=True)
class Drawn:
    """What a change of pixels draws from, a stream for each image, and what stands for white."""

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

    def between(self, place: int, most: float) -> Tensor:
        """The stream's number at `place`, from −most to most, in a shape to go with pixels: (images, 1, 1, 1)."""
        u = self.uniforms(place + 1)[:, place]
        return torch.from_numpy((2 * u - 1) * most).to(self.dtype).view(-1, 1, 1, 1)

    def factor(self, place: int, amount: float) -> Tensor:
        """The stream's number at `place`, from 1 − amount to 1 + amount: (images, 1, 1, 1)."""
        return self.between(place, amount).add_(1)


def grey(pixels: Tensor) -> Tensor:
    """The brightness of pixels, (images, 1, height, width)."""
    if pixels.shape[1] != len(_LUMA):
        return pixels.mean(dim=1, keepdim=True) if pixels.shape[1] > 1 else pixels
    return (pixels * torch.tensor(_LUMA, dtype=pixels.dtype).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def limited(pixels: Tensor, white: float | None) -> Tensor:
    """Pixels with what is darker than black or lighter than white cut off, in place."""
    return pixels if white is None else pixels.clamp_(0, white)
