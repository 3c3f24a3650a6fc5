"""The columns of a table, and its examples by class, as augmentations of tables use them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.prepared import Indices, Meta, Prepared


class SameClassExamples:
    """The training examples of each client and class, to draw from."""

    def __init__(self, prepared: Prepared) -> None:
        self._x = prepared.x
        owned = [prepared.training_examples(client) for client in prepared.clients.tolist()]
        positions = np.concatenate(owned)
        owners = np.repeat(np.arange(len(owned)), [len(own) for own in owned])
        order = np.lexsort((prepared.y[positions], owners))
        self._positions = positions[order]
        changes = np.flatnonzero(np.diff(owners[order]) | np.diff(prepared.y[self._positions])) + 1
        starts, sizes = np.append(0, changes), np.diff(np.concatenate([[0], changes, [len(positions)]]))
        self._start = np.zeros(len(prepared.y), np.int64)
        self._size = np.ones(len(prepared.y), np.int64)
        self._start[self._positions], self._size[self._positions] = np.repeat(starts, sizes), np.repeat(sizes, sizes)

    def of(self, positions: Indices, u: NDArray[np.float64]) -> Tensor:
        """For each example one of its class and client, drawn by `u` in [0, 1): (examples, features)."""
        places = self._start[positions] + (u * self._size[positions]).astype(np.int64)
        return torch.from_numpy(self._x[self._positions[places]])


@dataclass(frozen=True)
class TableColumns:
    """The raw features of a table (`common.scenario.augmentation.Columns`)."""

    spread: Tensor
    """Each one's standard deviation, float64; empty where no augmentation goes by it."""
    dropped: Tensor
    """What a value becomes that goes missing: NaN where something takes its place later, else 0; float64."""
    categories: Tensor
    """Which hold codes of categories."""
    same_class: SameClassExamples | None
    """None where no augmentation uses them."""

    @classmethod
    def of(cls, meta: Meta, spread: NDArray[np.float64], same_class: SameClassExamples | None) -> TableColumns:
        """The columns of prepared examples."""
        width = int(np.prod(meta.row_shape))
        categories = torch.zeros(width, dtype=torch.bool)
        for place, column in enumerate(meta.columns):
            categories[place] = column.categories is not None
        # A category that is missing is none of the known ones.
        gap = categories if meta.filling == "none" else torch.ones_like(categories)
        dropped = torch.zeros(width, dtype=torch.float64).masked_fill(gap, torch.nan)
        return cls(torch.tensor(spread), dropped, categories, same_class)

    def of_same_class(self, examples: Indices, u: NDArray[np.float64]) -> Tensor:
        """An example of the class and client of each, itself perhaps, drawn by `u` (examples,) in [0, 1)."""
        assert self.same_class is not None
        return self.same_class.of(examples, u)
