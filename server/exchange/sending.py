"""Sending blocks to nodes and taking replies as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from flwr.app import Message, RecordDict

from common.extend.events import Events
from common.extend.results import Block
from common.messages import DATA, Blocks, Content, MessageRecords, write_data
from server.exchange.traffic import Traffic
from server.grid.base import DirectGrid
from server.grid.polled import PolledGrid

Carrier = DirectGrid | PolledGrid
"""What carries messages: a grid of ours, or one of Flower's that is polled."""

_PER_NODE = ((0.5, 4), (0.05, 2), (0.0, 1))
"""Messages per node and round where any node can do any block, for rounds that take a node so many seconds or
more: the longer it works, the more slack there is to even out, and the less a message costs beside it."""
_EVEN = 0.01
"""Messages whose costs differ by so small a part are as good as equal."""
_MOST_KEPT = 1 << 27
"""Bytes that clients keep in one message, as far as blocks can be taken apart: all of them may be more than memory."""
_SHORTEST_TTL = 10.0


@dataclass(frozen=True)
class Reply:
    """A reply, or the reason why there is none."""

    time: float
    """Seconds since the messages were sent."""
    blocks: list[Block]
    content: RecordDict | None
    error: str = ""


class Exchange:
    """The way to the nodes of one run."""

    def __init__(self, grid: Carrier, nodes: list[int], data: str = "", events: Events | None = None) -> None:
        """`data` is the key of the prepared data, for hosts that know no folder of their own."""
        self.grid, self._nodes, self._data, self.events = grid, nodes, write_data(data), events or Events()
        self.traffic = Traffic()

    def ask(
        self,
        message_type: str,
        shared: MessageRecords,
        blocks: list[Block],
        own: Callable[[list[Block]], MessageRecords] | None = None,
        deadline: float | None = None,
        kept: int = 0,
    ) -> Generator[Reply, None, None]:
        """Send the blocks, several to a message, and yield the replies in the order in which they arrive.

        Those that are still to come when the generator is closed are given up.

        `shared` are the records that all messages have in common, `own` makes those of one message's blocks.
        Messages that are not answered within `deadline` seconds are given up, but for a grid whose nodes work only
        while they are waited for. `kept` is about how many bytes each
        client keeps that go with its message.
        """
        if self.grid.works_when_waited_for:
            deadline = None
        messages, groups = [], []
        # What is not delivered in time is not to be delivered later.
        ttl = None if deadline is None else max(_SHORTEST_TTL, 2 * deadline)
        grouped = self._grouped(blocks, kept)
        busy = {node for node, _ in grouped if self.grid.busy(self._nodes[node])}
        for node, group in grouped:
            if node in busy:
                yield Reply(0.0, group, None, "its node is still busy with an earlier round")
                continue
            clients = Blocks(
                np.concatenate([block.clients for block in group]),
                np.array([len(block.clients) for block in group], dtype=np.int64),
            )
            content = Content({**shared, DATA: self._data, "blocks": clients.write(), **(own(group) if own else {})})
            messages.append(Message(content, self._nodes[node], message_type, ttl=ttl))
            groups.append(group)
        started = time.monotonic()
        ids = list(self.grid.push_messages(messages))
        sent = dict(zip(ids, groups, strict=True))
        try:
            for reply in replies(self.grid, ids, deadline):
                group = sent.pop(reply.metadata.reply_to_message_id)
                elapsed = time.monotonic() - started
                if reply.has_error():
                    yield Reply(elapsed, group, None, reply.error.reason or "no reason given")
                else:
                    yield Reply(elapsed, group, reply.content)
        except GeneratorExit:
            self.grid.abandon(sent)
            raise
        if sent:
            self.grid.abandon(sent)
        for group in sent.values():
            yield Reply(time.monotonic() - started, group, None, f"no reply within {deadline:g} seconds")

    def _grouped(self, blocks: list[Block], kept: int) -> list[tuple[int, list[Block]]]:
        """Which blocks travel together, and to which node; the heaviest messages first."""
        bound: dict[int, list[Block]] = {}
        free = [block for block in blocks if block.node is None]
        for block in blocks:
            if block.node is not None:
                bound.setdefault(block.node, []).append(block)
        groups = list(bound.items())
        if free:
            each = sum(block.cost for block in free) / len(self._nodes)
            per_node = next(messages for least, messages in _PER_NODE if each >= least)
            bulk = kept * sum(len(block.clients) for block in free)
            packed = _packed(free, min(len(free), max(per_node * len(self._nodes), -(-bulk // _MOST_KEPT))))
            groups += [(position % len(self._nodes), group) for position, group in enumerate(packed)]
        return sorted(groups, key=lambda entry: -sum(block.cost for block in entry[1]))


def replies(grid: Carrier, message_ids: Iterable[str], deadline: float | None = None) -> Iterator[Message]:
    """The replies to these messages, each as soon as it is there, for at most `deadline` seconds."""
    open_ids = set(message_ids)
    end = None if deadline is None else time.monotonic() + deadline
    while open_ids:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return
        for reply in grid.wait(open_ids, left):
            open_ids.discard(reply.metadata.reply_to_message_id)
            yield reply


def _packed(blocks: list[Block], groups: int) -> list[list[Block]]:
    """Blocks in groups of nearly equal cost: the heaviest first, each to the lightest group so far, then evened out."""
    packed: list[list[Block]] = [[] for _ in range(groups)]
    costs = [0.0] * groups
    for block in sorted(blocks, key=lambda block: (-block.cost, block.index)):
        lightest = costs.index(min(costs))
        packed[lightest].append(block)
        costs[lightest] += block.cost
    while _balance_once(packed):
        pass
    return packed


def _balance_once(packed: list[list[Block]]) -> bool:
    """Move a block from the heaviest group to the lightest, perhaps for another, if that brings them closer."""
    costs = [sum(block.cost for block in group) for group in packed]
    heavy, light = packed[costs.index(max(costs))], packed[costs.index(min(costs))]
    gap = max(costs) - min(costs)
    if gap <= _EVEN * max(costs):
        return False
    swaps = [(one, other) for one in heavy for other in (None, *light)]
    one, other = min(swaps, key=lambda swap: abs(gap - 2 * (swap[0].cost - (swap[1].cost if swap[1] else 0.0))))
    moved = one.cost - (other.cost if other else 0.0)
    if abs(gap - 2 * moved) >= gap * (1 - _EVEN):
        return False
    heavy.remove(one)
    light.append(one)
    if other:
        light.remove(other)
        heavy.append(other)
    return True
