"""Where a run stands after a round: everything that the next rounds depend on."""

from __future__ import annotations

from dataclasses import dataclass

from common.arrays import Named
from common.data.prepared import Indices
from server.observers import Metrics


@dataclass
class RunState:
    """The state after a round. Draws are keyed by round and client, so their position is the round itself."""

    round: int
    parameters: Named
    """The global weights."""
    strategy: Named
    """What the strategy carries from round to round."""
    versions: Indices
    """For each client, the round whose state of its own is committed; 0 where it has none."""
    clients: Named
    """The states of the clients that have one, in ascending order of their ids: (clients, *shape)."""
    metrics: Metrics
    """The round's line in metrics.jsonl."""
