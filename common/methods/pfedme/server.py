"""pFedMe (Dinh et al. 2020, algorithm 1): the global weights go towards the mean of the clients' local ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from common.extend.results import BlockResult
from common.extend.strategy import RoundOutcome, RoundStart, Strategy, StrategyContext
from common.methods.flower.server import fedavg


class PFedMe(Strategy):
    """w ← (1 − β) w + β (1/S) Σ wᵢ over the S clients of the round (the last line)."""

    def __init__(self, options: Any, context: StrategyContext) -> None:
        super().__init__(options, context)
        self._mean = fedavg(options, context)

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The mean, by Flower's FedAvg, and a step towards it."""
        outcome, beta, sent = self._mean.aggregate(start, results), self.options.beta, start.parameters
        stepped = {
            name: (mean * beta + sent[name] * (1 - beta)).astype(mean.dtype)
            for name, mean in outcome.parameters.items()
        }
        return replace(outcome, parameters=stepped)
