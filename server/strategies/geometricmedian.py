"""The geometric median (Pillutla, Kakade, Harchaoui 2022: robust federated averaging)."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord
from numpy.typing import NDArray

from common.arrays import Named
from common.data.prepared import Indices
from server.exchange.results import BlockResult, each, told
from server.strategies.base import Instructions, Outcome, Strategy


class GeometricMedian(Strategy):
    """argmin_v Σ αₖ ‖v − θₖ‖ with αₖ = nₖ / Σ n, all of a network's weights being one vector."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The weights."""
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The median of what came back."""
        models, (rows,) = each(results), told(results, "examples")
        flat = np.concatenate([array.reshape(len(rows), -1) for array in models.values()], axis=1).astype(np.float64)
        median = weiszfeld(flat, rows / rows.sum(), self.options.iterations, self.options.smoothing)
        ends = np.cumsum([array[0].size for array in models.values()])
        pieces = np.split(median, ends[:-1])
        return Outcome(
            {
                name: piece.reshape(array.shape[1:]).astype(array.dtype)
                for (name, array), piece in zip(models.items(), pieces, strict=True)
            }
        )


def weiszfeld(
    points: NDArray[np.float64], weights: NDArray[np.float64], iterations: int, smoothing: float
) -> NDArray[np.float64]:
    """The smoothed geometric median of `points` (count, numbers), from their mean (algorithm 2).

    βₖ = αₖ / max(ν, ‖v − wₖ‖), v ← Σ βₖ wₖ / Σ βₖ.
    """
    median = weights @ points / weights.sum()
    for _ in range(iterations):
        betas = weights / np.maximum(smoothing, np.linalg.norm(points - median, axis=1))
        median = betas @ points / betas.sum()
    return np.asarray(median)
