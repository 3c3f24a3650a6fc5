"""Which examples an augmentation changes, and what each of them draws from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common import seeds
from common.data.prepared import Indices


@dataclass(frozen=True)
class PlacedAugmentation:
    """An augmentation and its place in the pipeline, which its draws are keyed by."""

    place: int
    spec: Any

    def chosen(self, keys: seeds.Streams) -> tuple[Indices, seeds.Streams]:
        """The positions of the examples that are changed, and a stream for each of them."""
        own = seeds.fork(keys, self.place)
        hit = np.flatnonzero(seeds.uniforms(own, 1)[:, 0] < self.spec.probability)
        return hit, seeds.fork(own[hit], 0)

    def on(self, x: Tensor, keys: seeds.Streams, change: Callable[[Any, Tensor, seeds.Streams], Tensor]) -> Tensor:
        """`x` (examples, …) with the chosen examples changed; `x` may be changed in place."""
        hit, own = self.chosen(keys)
        return change_some(x, hit, lambda some: change(self.spec, some, own))


def change_some(x: Tensor, hit: Indices, change: Callable[[Tensor], Tensor]) -> Tensor:
    """`x` with the examples at `hit` changed; `x` may be changed in place."""
    if len(hit) == 0:
        return x
    if len(hit) == len(x):
        return change(x)
    places = torch.from_numpy(hit)
    return x.index_copy_(0, places, change(x.index_select(0, places)))
