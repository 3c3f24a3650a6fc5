"""What a federation agrees on before round 1: the label set and the scaling, from sums and never from rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.data.table import Label, Task

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Column-wise sums over some rows: how many numbers, their sum, their squared distance from their mean."""

    count: Column
    """Numbers that are not missing, shape (columns,)."""
    total: Column
    """Σ x, shape (columns,)."""
    spread: Column
    """Σ (x − mean)², shape (columns,), about these rows' own mean."""

    @classmethod
    def of(cls, rows: NDArray[np.floating]) -> Moments:
        """The moments of `rows`, shape (rows, columns); NaN is a missing number and does not count."""
        known = ~np.isnan(rows)
        count = known.sum(axis=0).astype(np.float64)
        total = np.where(known, rows, 0.0).sum(axis=0)
        mean = total / np.maximum(count, 1)
        return cls(count, total, np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0))

    def mean(self) -> Column:
        """Σ x / n, shape (columns,); 0 for a column without numbers."""
        return self.total / np.maximum(self.count, 1)

    def deviation(self) -> Column:
        """√(Σ (x − mean)² / n), shape (columns,); 1 for a constant column, which then becomes 0."""
        deviation = np.sqrt(self.spread / np.maximum(self.count, 1))
        # Rounding leaves a trace of spread in a column that is constant.
        constant = deviation <= 1e-12 * np.maximum(1.0, np.abs(self.mean()))
        return np.where(constant, 1.0, deviation)


def combined(moments: Iterable[Moments]) -> Moments:
    """The moments of all rows together (Chan, Golub, LeVeque 1983, equation 2.1), in the order given."""
    parts = list(moments)
    whole = parts[0]
    for part in parts[1:]:
        count = whole.count + part.count
        apart = part.mean() - whole.mean()
        between = apart**2 * whole.count * part.count / np.maximum(count, 1)
        whole = Moments(count, whole.total + part.total, whole.spread + part.spread + between)
    return whole


@dataclass(frozen=True)
class Agreement:
    """How raw rows become what the network sees, the same for every client and the server."""

    task: Task
    row_shape: tuple[int, ...]
    labels: tuple[Label, ...]
    """The classes that exist anywhere in the federation, sorted; empty for a regression."""
    shift: Column
    """Subtracted from a raw row, shape (features,)."""
    scale: Column
    """Divides what remains, shape (features,)."""
    target_shift: Column
    """Subtracted from a regression's raw target, shape (targets,)."""
    target_scale: Column
    """Divides what remains, shape (targets,)."""

    @property
    def features(self) -> int:
        """Numbers in a row, the network's input width."""
        return len(self.shift)

    @property
    def outputs(self) -> int:
        """The network's output width: classes, or numbers in a target."""
        return len(self.labels) if self.task == "classification" else len(self.target_shift)


def label_set(tables: Iterable[Iterable[Label]]) -> tuple[Label, ...]:
    """All labels of several hosts, sorted; whole numbers by size, and by their text once any label is text."""
    every = {label for table in tables for label in table}
    if all(isinstance(label, int) for label in every):
        return tuple(sorted(every, key=lambda label: (int(label), str(label))))
    return tuple(sorted({str(label) for label in every}))
