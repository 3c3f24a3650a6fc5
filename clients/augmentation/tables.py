"""Tables: a function for each augmentation of theirs.

(spec, rows, their streams, the columns, the positions of the rows in the data) → the rows as they are seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.augmentation.draws import lanes, normals
from common import seeds
from common.data.prepared import Indices, Meta, Prepared
from common.scenario.augmentation.tables import FeatureDropout, FeatureNoise, Interpolation
from common.seeds import Streams


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


@dataclass(frozen=True)
class Columns:
    """The raw features of a table."""

    spread: Tensor
    """Each one's standard deviation, float64; empty where no augmentation goes by it."""
    dropped: Tensor
    """What a value becomes that goes missing: NaN where something takes its place later, else 0; float64."""
    categories: Tensor
    """Which hold codes of categories."""
    kin: SameClassExamples | None
    """Rows of the same class and client; None where no augmentation goes by them."""

    @classmethod
    def of(cls, meta: Meta, spread: NDArray[np.float64], kin: SameClassExamples | None) -> Columns:
        """The columns of prepared rows."""
        width = int(np.prod(meta.row_shape))
        categories = torch.zeros(width, dtype=torch.bool)
        for place, column in enumerate(meta.columns):
            categories[place] = column.categories is not None
        # A category that is missing is none of the known ones.
        gap = categories if meta.filling == "none" else torch.ones_like(categories)
        dropped = torch.zeros(width, dtype=torch.float64).masked_fill(gap, torch.nan)
        return cls(torch.tensor(spread), dropped, categories, kin)


def feature_noise(spec: FeatureNoise, x: Tensor, keys: Streams, columns: Columns, rows: Indices) -> Tensor:
    """x + sigma·s·z, s the column's standard deviation, z standard normal; a gap stays one."""
    z = normals(keys, x.shape[1]).to(x.dtype)
    return x.addcmul_(z, (spec.sigma * columns.spread).to(x.dtype))


def feature_dropout(spec: FeatureDropout, x: Tensor, keys: Streams, columns: Columns, rows: Indices) -> Tensor:
    """Each value goes with chance `rate`, to within 1/65,536."""
    gone = torch.from_numpy(lanes(keys, x.shape[1]) < round(spec.rate * 65536))
    return torch.where(gone, columns.dropped.to(x.dtype), x)


def interpolation(spec: Interpolation, x: Tensor, keys: seeds.Streams, columns: Columns, rows: Indices) -> Tensor:
    """x + u·(x′ − x), u between 0 and `most`; x′ is any row of the class, where SMOTE takes one of the nearest.

    After SMOTE (Chawla et al. 2002, section 4.2).

    Of categories, the nearer row's is taken; a gap stays one, and towards a gap a number stays as it is.
    """
    assert columns.kin is not None
    u = seeds.uniforms(keys, 2)
    other = columns.kin.of(rows, u[:, 0]).to(x.dtype)
    share = torch.from_numpy(u[:, 1:] * spec.most).to(x.dtype)
    between = torch.where(columns.categories, torch.where(share < 0.5, x, other), torch.lerp(x, other, share))
    return torch.where(other.isnan(), x, between)
