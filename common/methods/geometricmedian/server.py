"""The geometric median (Pillutla, Kakade, Harchaoui 2022: robust federated averaging)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.extend.results import BlockResult, client_metrics, client_weights
from common.extend.strategy import RoundOutcome, RoundStart, Strategy, outcome_of


class GeometricMedian(Strategy):
    """argmin_v Σ αₖ ‖v − θₖ‖ with αₖ = nₖ / Σ n, a network's parameters and buffers being one vector."""

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The median of what came back."""
        options, models, (examples,) = self.options, client_weights(results), client_metrics(results, "examples")
        rows = [array.reshape(len(examples), -1) for array in models.values()]
        flat = np.concatenate(rows, axis=1, dtype=np.float64)
        found = weiszfeld(flat, examples / examples.sum(), options.iterations, options.tolerance, options.smoothing)
        ends = np.cumsum([array[0].size for array in models.values()])
        pieces = np.split(found.median, ends[:-1])
        events: tuple[tuple[str, dict[str, Any]], ...] = ()
        if found.gradient > options.tolerance:
            reason = (
                f"the geometric median did not converge in {options.iterations} steps: the gradient's norm is "
                f"{found.gradient:.3g}, above federation.strategy.tolerance"
            )
            events = (("not converged", {"reason": reason}),)
        median = {
            name: piece.reshape(array.shape[1:]).astype(array.dtype)
            for (name, array), piece in zip(models.items(), pieces, strict=True)
        }
        return outcome_of(median, start.parameters, events=events)


@dataclass(frozen=True)
class MedianResult:
    """Where the Weiszfeld algorithm came to."""

    median: NDArray[np.float64]
    """(numbers,)."""
    gradient: float
    """The norm of the gradient of Σ αₖ ‖v − wₖ‖, between 0 and 1, before the last step."""
    steps: int


def weiszfeld(
    points: NDArray[np.float64], weights: NDArray[np.float64], iterations: int, tolerance: float, smoothing: float
) -> MedianResult:
    """The smoothed geometric median of `points` (count, numbers), from their mean (algorithm 2).

    βₖ = αₖ / max(ν, ‖v − wₖ‖), v ← Σ βₖ wₖ / Σ βₖ, where the `weights` αₖ add up to 1. A step is −∇ / Σ βₖ, so the
    gradient ∇ of the objective g comes with it. It stops where ‖∇‖ is at most `tolerance`: g is convex and
    ‖v − v*‖ ≤ g(v) + g(v*), so that g(v) is within a share 2‖∇‖ of the least.

    v stays a mean of the points, v = m + Σ cₖ (wₖ − m) with Σ cₖ = 1 and m their mean, so that what steps need are
    products of the wₖ − m with each other: they take `count` numbers each, however many a point has.
    """
    centre = weights @ points
    apart = points - centre
    products = apart @ apart.T
    # Below this, rounding of the products is larger than the distance, which is then found from the points.
    small = 1e-8 * products.diagonal().max()
    shares, gradient, steps = weights, np.inf, 0
    while gradient > tolerance and steps < iterations:
        along = products @ shares
        squares = shares @ along - 2 * along + products.diagonal()
        for near in np.flatnonzero(squares <= small):
            squares[near] = np.square(shares @ apart - apart[near]).sum()
        betas = weights / np.maximum(smoothing, np.sqrt(squares))
        moved = betas / betas.sum()
        change = moved - shares
        gradient = float(np.sqrt(max(0.0, change @ products @ change)) * betas.sum())
        shares, steps = moved, steps + 1
    return MedianResult(np.asarray(centre + shares @ apart), gradient, steps)
