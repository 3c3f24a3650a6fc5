"""FedNova (Wang et al. 2020): the mean of normalized changes, times the mean distance."""

from __future__ import annotations

import numpy as np

from common.extend.results import BlockResult, client_metrics, mean
from common.extend.strategy import RoundOutcome, RoundStart, Strategy


class FedNova(Strategy):
    """θ ← θ + τ_eff Σ pᵢ (θᵢ − θ) / τᵢ with pᵢ = nᵢ / Σ n and τ_eff = Σ pᵢ τᵢ (equations 6 and 7).

    τᵢ is ‖aᵢ‖₁ times the learning rate, which cancels out where it is the same for all. Clients count for nᵢ / τᵢ
    in the sums, so the mean over them is all that is needed.
    """

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The server's step."""
        examples, distances = client_metrics(results, "examples", "distance")
        effective = np.average(distances, weights=examples)
        rate = float(effective * sum(result.weight for result in results) / examples.sum())
        sent = start.parameters
        parameters = {name: (1 - rate) * sent[name] + rate * array for name, array in mean(results).items()}
        return RoundOutcome(parameters, metrics={"server_lr": rate})
