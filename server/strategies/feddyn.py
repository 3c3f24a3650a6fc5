"""FedDyn (Acar et al. 2021, algorithm 1): the server's sum of corrections, and its step."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named, unpack
from common.data.prepared import Indices
from server.exchange.results import BlockResult, mean
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings


class FedDyn(Strategy):
    """h ← h − α/m Σ (θₖ − θ) over the round's clients of all m; θ ← mean θₖ − h/α."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        self._h: Named = {}

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The weights; h starts at 0."""
        self._sent = unpack(parameters)
        self._h = self._h or {name: np.zeros_like(array) for name, array in self._sent.items()}
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The server's step."""
        alpha, share = self.options.alpha, sum(result.weight for result in results) / len(self.surroundings.clients)
        means = mean(results)
        self._h = {name: h - alpha * share * (means[name] - self._sent[name]) for name, h in self._h.items()}
        return Outcome({name: array - self._h[name] / alpha for name, array in means.items()})

    def state(self) -> Named:
        """The sum of corrections."""
        return self._h

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self._h = state
