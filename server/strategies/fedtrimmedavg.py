"""The coordinates' trimmed mean (Yin et al. 2018, algorithm 1, option II)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flwr.app import ArrayRecord
from numpy.typing import NDArray

from common.arrays import Named
from common.data.prepared import Indices
from server.exchange.results import BlockResult, each
from server.strategies.base import Instructions, Outcome, Strategy, outcome_of


class FedTrimmedAvg(Strategy):
    """θ ← each coordinate's mean over the clients without ⌊βn⌋ of the largest and as many of the smallest."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The weights."""
        self._parameters = list(parameters)
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The trimmed mean of what came back."""
        models = {name: trimmed_mean(array, self.options.beta) for name, array in each(results).items()}
        return outcome_of(models, self._parameters)


def trimmed_mean(values: NDArray[np.floating], beta: float) -> NDArray[np.floating]:
    """The mean of values (n, …) along the first axis, in float64, without ⌊βn⌋ at either end: (…).

    Raises ValueError where nothing would be left.
    """
    # As it is written: in floating point 0.29 · 100 is below 29.
    left_out = int(Fraction(str(beta)) * len(values))
    if 2 * left_out >= len(values):
        raise ValueError(f"a trimmed mean of {len(values)} values without {left_out} at either end has none")
    kept = np.sort(values, axis=0)[left_out : len(values) - left_out]
    mean: NDArray[np.floating] = kept.mean(axis=0, dtype=np.float64).astype(values.dtype)
    return mean
