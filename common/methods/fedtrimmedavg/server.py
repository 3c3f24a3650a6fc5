"""The coordinates' trimmed mean (Yin et al. 2018, algorithm 1, option II)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from common.extend.results import BlockResult, client_weights
from common.extend.strategy import RoundOutcome, RoundStart, Strategy, outcome_of


class FedTrimmedAvg(Strategy):
    """θ ← each coordinate's mean over the clients without ⌊βn⌋ of the largest and as many of the smallest."""

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The trimmed mean of what came back."""
        models = {name: trimmed_mean(array, self.options.beta) for name, array in client_weights(results).items()}
        return outcome_of(models, start.parameters)


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
