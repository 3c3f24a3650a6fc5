"""Local training only, for comparison: every client trains on alone and nothing is averaged."""

from __future__ import annotations

from typing import Any

from flwr.app import ArrayRecord

from common.arrays import Named
from common.data.prepared import Indices
from common.errors import InputError
from server.exchange.results import BlockResult
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings


class Local(Strategy):
    """θₖ ← what client k trains from its own θₖ, which it keeps; the first is the scenario's start."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        """Raises InputError where clients hold nothing out: there is no global model to measure."""
        super().__init__(options, surroundings)
        if not surroundings.scenario.data.client_holdout:
            raise InputError("expected rows to measure local models on: a fraction above 0", "data.client_holdout")

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """Where those start that have not trained yet."""
        self._buffers = buffers
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """Nothing."""
        return Outcome({}, self._buffers)
