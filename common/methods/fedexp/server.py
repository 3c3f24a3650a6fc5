"""FedExP (Jhunjhunwala et al. 2023, algorithm 1): the server's step is longer where clients' changes disagree."""

from __future__ import annotations

import numpy as np

from common.extend.results import BlockResult, client_metrics, mean
from common.extend.strategy import RoundOutcome, RoundStart, Strategy


class FedExP(Strategy):
    """θ ← θ − η_g Δ̄ with η_g = max(1, Σ ‖Δᵢ‖² / (2 M (‖Δ̄‖² + ε))), Δᵢ = θ − θᵢ, over the round's M clients."""

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The server's step."""
        (squared,) = client_metrics(results, "squared_way")
        means, sent = mean(results), start.parameters
        way = sum(np.square(array - sent[name], dtype=np.float64).sum() for name, array in means.items())
        rate = float(max(1.0, squared.mean() / (2 * (way + self.options.eps))))
        parameters = {name: (1 - rate) * sent[name] + rate * array for name, array in means.items()}
        return RoundOutcome(parameters, metrics={"server_lr": rate})
