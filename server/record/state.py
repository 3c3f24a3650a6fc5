"""Where a run stands after a round: everything that the next rounds depend on."""

from __future__ import annotations

from dataclasses import dataclass

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.run_files import Metrics


@dataclass(frozen=True)
class RunState:
    """The state after a round. Draws are keyed by round and client, so their position is the round itself."""

    round: int
    parameters: NamedArrays
    """The global weights."""
    buffers: NamedArrays
    """What the global network has besides: running statistics."""
    strategy: NamedArrays
    """What the strategy carries from round to round."""
    selection: NamedArrays
    """What the rule of selection carries."""
    versions: Indices
    """For each client, the round whose state of its own is committed; 0 where it has none."""
    metrics: Metrics
    """The round's line in metrics.jsonl."""
    widest: int = 0
    """How many clients a stack may have, so that a card's memory holds it; 0 where there is no such limit."""
