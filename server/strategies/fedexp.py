"""FedExP (Jhunjhunwala et al. 2023, algorithm 1): the server's step is longer where clients' changes disagree."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named, unpack
from common.data.prepared import Indices
from server.exchange.results import BlockResult, mean, told
from server.strategies.base import Instructions, Outcome, Strategy


class FedExP(Strategy):
    """θ ← θ − η_g Δ̄ with η_g = max(1, Σ ‖Δᵢ‖² / (2 M (‖Δ̄‖² + ε))), Δᵢ = θ − θᵢ, over the round's M clients."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The weights."""
        self._sent = unpack(parameters)
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The server's step."""
        (squared,) = told(results, "squared_way")
        means = mean(results)
        way = sum(np.square(array - self._sent[name], dtype=np.float64).sum() for name, array in means.items())
        rate = float(max(1.0, squared.mean() / (2 * (way + self.options.eps))))
        parameters = {name: (1 - rate) * self._sent[name] + rate * array for name, array in means.items()}
        return Outcome(parameters, metrics={"server_lr": rate})
