"""SCAFFOLD (Karimireddy et al. 2020, algorithm 1): the server's control variate, and its step."""

from __future__ import annotations

import numpy as np

from common.extend.results import BlockResult, mean
from common.extend.strategy import Instructions, RoundOutcome, RoundStart, Strategy

_CONTROL = "control"


class Scaffold(Strategy):
    """x ← x + η_g mean Δyᵢ, c ← c + │S│/N mean Δcᵢ over the round's clients S of all N (lines 16 and 17).

    The state is c.
    """

    def instruct(self, start: RoundStart) -> Instructions:
        """The weights and c, which starts at 0 (line 1)."""
        self.state = self.state or {name: np.zeros_like(array) for name, array in start.parameters.items()}
        return Instructions(records={_CONTROL: self.state})

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The server's step."""
        rate, share = self.options.server_lr, sum(result.weight for result in results) / len(self.context.clients)
        changes = mean(results, _CONTROL)
        self.state = {name: array + share * changes[name] for name, array in self.state.items()}
        sent = start.parameters
        return RoundOutcome({name: (1 - rate) * sent[name] + rate * array for name, array in mean(results).items()})
