"""FedDyn (Acar et al. 2021, algorithm 1): the server's sum of corrections, and its step."""

from __future__ import annotations

import numpy as np

from common.extend.results import BlockResult, mean
from common.extend.strategy import RoundOutcome, RoundStart, Strategy


class FedDyn(Strategy):
    """h ← h − α/m Σ (θₖ − θ) over the round's clients of all m; θ ← mean θₖ − h/α. The state is h, 0 at first."""

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The server's step."""
        alpha, share = self.options.alpha, sum(result.weight for result in results) / len(self.context.clients)
        means, sent = mean(results), start.parameters
        before = self.state or {name: np.zeros_like(array) for name, array in sent.items()}
        self.state = {name: h - alpha * share * (means[name] - sent[name]) for name, h in before.items()}
        return RoundOutcome({name: array - self.state[name] / alpha for name, array in means.items()})
