"""pFedMe (Dinh et al. 2020, algorithm 1): the global weights go towards the mean of the clients' local ones."""

from __future__ import annotations

from server.exchange.results import BlockResult
from server.strategies.base import Outcome
from server.strategies.fedavg import FedAvg


class PFedMe(FedAvg):
    """w ← (1 − β) w + β (1/S) Σ wᵢ over the S clients of the round (the last line).

    How clients come to their wᵢ and to models of their own is their half, `clients.algorithms.pfedme`.
    """

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The mean, by Flower's FedAvg, and a step towards it."""
        outcome, beta = super().aggregate(round_number, results), self.options.beta
        for name, mean in outcome.parameters.items():
            outcome.parameters[name] = (mean * beta + self._sent[name] * (1 - beta)).astype(mean.dtype)
        return outcome
