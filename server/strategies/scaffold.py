"""SCAFFOLD (Karimireddy et al. 2020, algorithm 1): the server's control variate, and its step."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named, unpack
from common.data.prepared import Indices
from server.exchange.results import BlockResult, mean
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings

_CONTROL = "control"


class Scaffold(Strategy):
    """x ← x + η_g mean Δyᵢ, c ← c + │S│/N mean Δcᵢ over the round's clients S of all N (lines 16 and 17)."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        self._control: Named = {}

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The weights and c, which starts at 0 (line 1)."""
        self._sent = unpack(parameters)
        self._control = self._control or {name: np.zeros_like(array) for name, array in self._sent.items()}
        return Instructions(parameters, {_CONTROL: self._control})

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The server's step."""
        rate, share = self.options.server_lr, sum(result.weight for result in results) / len(self.surroundings.clients)
        changes = mean(results, _CONTROL)
        self._control = {name: array + share * changes[name] for name, array in self._control.items()}
        return Outcome({name: (1 - rate) * self._sent[name] + rate * array for name, array in mean(results).items()})

    def state(self) -> Named:
        """The control variate."""
        return self._control

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self._control = state
