"""Rows of the same class at the same client."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.prepared import Indices, Prepared


class SameClassExamples:
    """The training rows of each client and class, to draw from."""

    def __init__(self, prepared: Prepared) -> None:
        self._x = prepared.x
        owned = [prepared.training_rows(client) for client in prepared.clients.tolist()]
        rows = np.concatenate(owned)
        owners = np.repeat(np.arange(len(owned)), [len(own) for own in owned])
        order = np.lexsort((prepared.y[rows], owners))
        self._rows = rows[order]
        changes = np.flatnonzero(np.diff(owners[order]) | np.diff(prepared.y[self._rows])) + 1
        starts, sizes = np.append(0, changes), np.diff(np.concatenate([[0], changes, [len(rows)]]))
        self._start = np.zeros(len(prepared.y), np.int64)
        self._size = np.ones(len(prepared.y), np.int64)
        self._start[self._rows], self._size[self._rows] = np.repeat(starts, sizes), np.repeat(sizes, sizes)

    def of(self, rows: Indices, u: NDArray[np.float64]) -> Tensor:
        """A row of the class and client of each row, itself perhaps, drawn by `u` in [0, 1): (rows, raw features)."""
        places = self._start[rows] + (u * self._size[rows]).astype(np.int64)
        return torch.from_numpy(self._x[self._rows[places]])
