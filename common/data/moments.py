"""Sums over rows from which scaling and fills follow, combined exactly whoever computed which part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Column-wise sums over some rows: how many numbers, their sum, their squared distance from their mean."""

    rows: Numbers
    """How many rows, in an array of shape (1,)."""
    count: Numbers
    """Numbers that are not missing, shape (columns,)."""
    total: Numbers
    """Σ x, shape (columns,)."""
    spread: Numbers
    """Σ (x − mean)², shape (columns,), about these rows' own mean."""

    @classmethod
    def of(cls, rows: NDArray[np.floating]) -> Moments:
        """The moments of `rows`, shape (rows, columns); NaN is a missing number and does not count."""
        known = ~np.isnan(rows)
        count = known.sum(axis=0).astype(np.float64)
        total = np.where(known, rows, 0.0).sum(axis=0)
        mean = total / np.maximum(count, 1)
        spread = np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0)
        return cls(np.array([float(len(rows))]), count, total, spread)

    def mean(self) -> Numbers:
        """Σ x / n, shape (columns,); 0 for a column without numbers."""
        return self.total / np.maximum(self.count, 1)

    def deviation(self, constant: float = 1.0) -> Numbers:
        """√(Σ (x − mean)² / n), shape (columns,); for a constant column `constant`: divided by 1 it becomes 0."""
        deviation = np.sqrt(self.spread / np.maximum(self.count, 1))
        # Rounding leaves a trace of spread in a column that is constant.
        return np.where(deviation <= 1e-12 * np.maximum(1.0, np.abs(self.mean())), constant, deviation)


def combine_moments(moments: Iterable[Moments]) -> Moments:
    """The moments of all rows together (Chan, Golub, LeVeque 1983, equation 2.1), in the order given."""
    parts = list(moments)
    whole = parts[0]
    for part in parts[1:]:
        count = whole.count + part.count
        apart = part.mean() - whole.mean()
        between = apart**2 * whole.count * part.count / np.maximum(count, 1)
        spread = whole.spread + part.spread + between
        whole = Moments(whole.rows + part.rows, count, whole.total + part.total, spread)
    return whole


def means(rows: NDArray[np.float64]) -> Numbers:
    """The mean of each column of `rows`, shape (rows, columns); NaN for one without numbers."""
    own = Moments.of(rows)
    return np.where(own.count > 0, own.mean(), np.nan)
