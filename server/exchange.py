"""Sending blocks to nodes and taking replies as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from common.arrays import Named
from common.data.prepared import Indices
from common.messages import Blocks
from server.blocks import Block
from server.grid.base import DirectGrid

Records = Mapping[str, ArrayRecord | ConfigRecord]

_PER_NODE = 2
"""Messages per node and round where any node can do any block: some slack to even out, few calls to pay for."""
_POLL_SECONDS = 0.05
"""How often a grid that cannot wait is asked for replies."""


@dataclass(frozen=True)
class Arrival:
    """A reply, or the reason why there is none."""

    time: float
    """Seconds since the messages were sent."""
    blocks: list[Block]
    content: RecordDict | None
    error: str = ""


class Exchange:
    """The way to the nodes of one run."""

    def __init__(self, grid: Grid, nodes: list[int]) -> None:
        self._grid, self._nodes = grid, nodes

    def ask(
        self,
        message_type: str,
        shared: Records,
        blocks: list[Block],
        own: Callable[[list[Block]], Records] | None = None,
        deadline: float | None = None,
    ) -> Iterator[Arrival]:
        """Send the blocks, several to a message, and yield the replies in the order in which they arrive.

        `shared` are the records that all messages have in common, `own` makes those of one message's blocks.
        Messages that are not answered within `deadline` seconds are given up.
        """
        messages, groups = [], []
        for node, group in self._grouped(blocks):
            clients = Blocks(
                np.concatenate([block.clients for block in group]),
                np.array([len(block.clients) for block in group], dtype=np.int64),
            )
            content = RecordDict({**shared, "blocks": clients.write(), **(own(group) if own else {})})
            messages.append(Message(content, self._nodes[node], message_type))
            groups.append(group)
        started = time.monotonic()
        ids = list(self._grid.push_messages(messages))
        sent = dict(zip(ids, groups, strict=True))
        for reply in replies(self._grid, ids, deadline):
            group = sent.pop(reply.metadata.reply_to_message_id)
            elapsed = time.monotonic() - started
            if reply.has_error():
                yield Arrival(elapsed, group, None, reply.error.reason or "no reason given")
            else:
                yield Arrival(elapsed, group, reply.content)
        if sent and isinstance(self._grid, DirectGrid):
            self._grid.abandon(sent)
        for group in sent.values():
            yield Arrival(time.monotonic() - started, group, None, f"no reply within {deadline:g} seconds")

    def collect_states(self, clients: Indices, versions: Indices) -> Named:
        """What these clients kept for their next round: (clients, *shape)."""
        if not len(clients):
            return {}
        assert isinstance(self._grid, DirectGrid)
        states, _ = self._grid.states.get(clients, versions)
        return states

    def restore_states(self, clients: Indices, versions: Indices, states: Named) -> None:
        """Give these clients back what they kept."""
        for version in np.unique(versions) if states else []:
            chosen = versions == version
            assert isinstance(self._grid, DirectGrid)
            self._grid.states.put(int(version), clients[chosen], {n: a[chosen] for n, a in states.items()})

    def _grouped(self, blocks: list[Block]) -> list[tuple[int, list[Block]]]:
        """Which blocks travel together, and to which node; the heaviest messages first."""
        bound: dict[int, list[Block]] = {}
        free = [block for block in blocks if block.node is None]
        for block in blocks:
            if block.node is not None:
                bound.setdefault(block.node, []).append(block)
        groups = list(bound.items())
        if free:
            packed = _packed(free, min(len(free), _PER_NODE * len(self._nodes)))
            groups += [(position % len(self._nodes), group) for position, group in enumerate(packed)]
        return sorted(groups, key=lambda entry: -sum(block.cost for block in entry[1]))


def replies(grid: Grid, message_ids: Iterable[str], deadline: float | None = None) -> Iterator[Message]:
    """The replies to these messages, each as soon as it is there, for at most `deadline` seconds."""
    open_ids = set(message_ids)
    end = None if deadline is None else time.monotonic() + deadline
    while open_ids:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return
        if isinstance(grid, DirectGrid):
            arrived = grid.wait(open_ids, left)
        else:
            arrived = list(grid.pull_messages(open_ids))
            if not arrived:
                time.sleep(_POLL_SECONDS)
        for reply in arrived:
            open_ids.discard(reply.metadata.reply_to_message_id)
            yield reply


def _packed(blocks: list[Block], groups: int) -> list[list[Block]]:
    """Blocks in groups of nearly equal cost: the heaviest first, each to the lightest group so far."""
    packed: list[list[Block]] = [[] for _ in range(groups)]
    costs = [0.0] * groups
    for block in sorted(blocks, key=lambda block: (-block.cost, block.index)):
        lightest = costs.index(min(costs))
        packed[lightest].append(block)
        costs[lightest] += block.cost
    return packed
