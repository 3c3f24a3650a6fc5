"""Local training only, for comparison: every client trains on alone and nothing is averaged."""

from __future__ import annotations

from common.extend.results import BlockResult
from common.extend.strategy import RoundOutcome, RoundStart, Strategy


class Local(Strategy):
    """θₖ ← what client k trains from its own θₖ, which it keeps; the first is the scenario's start."""

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """Nothing."""
        return RoundOutcome({}, start.buffers)
