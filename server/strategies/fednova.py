"""FedNova (Wang et al. 2020): the mean of normalized changes, times the mean distance."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named, unpack
from common.data.prepared import Indices
from server.exchange.results import BlockResult, mean, told
from server.strategies.base import Instructions, Outcome, Strategy


class FedNova(Strategy):
    """θ ← θ + τ_eff Σ pᵢ (θᵢ − θ) / τᵢ with pᵢ = nᵢ / Σ n and τ_eff = Σ pᵢ τᵢ (equations 6 and 7).

    τᵢ is ‖aᵢ‖₁ times the learning rate, which cancels out where it is the same for all. Clients count for nᵢ / τᵢ
    in the sums, so the mean over them is all that is needed.
    """

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The weights."""
        self._sent = unpack(parameters)
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The server's step."""
        rows, distances = told(results, "examples", "distance")
        effective = np.average(distances, weights=rows)
        rate = float(effective * sum(result.weight for result in results) / rows.sum())
        parameters = {name: (1 - rate) * self._sent[name] + rate * array for name, array in mean(results).items()}
        return Outcome(parameters, metrics={"server_lr": rate})
