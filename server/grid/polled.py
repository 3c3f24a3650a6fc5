"""PolledGrid: Flower's own grids, on its simulation engine or a SuperLink, behind what the rounds need of a grid.

Flower's grids say what has arrived only when they are asked, and their `send_and_receive` asks every 3 seconds
(0.1 in simulations). Here they are asked as soon as an answer can be there, then at longer and longer intervals.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from flwr.app import Error, Message
from flwr.serverapp import Grid

from common.compat.flower import ErrorCode, set_message_id
from common.errors import RunError

_SHORTEST, _LONGEST = 0.01, 0.25
"""Seconds between two questions whether a reply has arrived."""
_GATHERING_SECONDS = 120.0
"""How long the nodes that were announced are waited for."""
_SETTLED_SECONDS = 1.0
"""Where nobody said how many nodes there are: so long must their number stay the same."""


class PolledGrid:
    """A Flower grid that waits, and that knows which nodes are still busy with what nobody waits for any more."""

    works_when_waited_for: ClassVar[bool] = False

    def __init__(self, grid: Grid, nodes: int = 0) -> None:
        """`nodes` is how many must be there before a run begins; 0 where it is whoever is there."""
        self._grid, self._nodes = grid, nodes
        self._homes: dict[str, int] = {}
        """The node of each message that is on its way."""
        self._late: dict[int, set[str]] = {}
        """For each node, the messages that were given up while it had them."""
        self._unsent: dict[str, Message] = {}

    def get_node_ids(self) -> list[int]:
        """The nodes that are there, once as many are as were announced. Raises RunError where they do not come."""
        end, since, before = time.monotonic() + _GATHERING_SECONDS, time.monotonic(), -1
        while True:
            here = sorted(self._grid.get_node_ids())
            if len(here) != before:
                since, before = time.monotonic(), len(here)
            if here and (self._nodes or time.monotonic() - since > _SETTLED_SECONDS) and len(here) >= self._nodes:
                return here
            if time.monotonic() > end:
                raise RunError(
                    f"{len(here)} of {max(1, self._nodes)} nodes came within {_GATHERING_SECONDS:g} seconds; "
                    "is every SuperNode started and registered?"
                )
            time.sleep(_LONGEST)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages; returns their ids. One that the SuperLink does not take is answered with an error."""
        ids: list[str] = []
        for number, message in enumerate(messages):
            # One by one: a grid leaves out of its answer what it did not take.
            taken = list(self._grid.push_messages([message]))
            if taken and taken[0]:
                self._homes[taken[0]] = message.metadata.dst_node_id
                ids.append(taken[0])
                continue
            unsent = f"unsent-{time.monotonic_ns()}-{number}"
            set_message_id(message, unsent)
            reason = "the SuperLink did not take the message: is it too large, or its node gone?"
            self._unsent[unsent] = Message(Error(ErrorCode.MESSAGE_UNAVAILABLE, reason), reply_to=message)
            ids.append(unsent)
        return ids

    def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
        """Wait for at least one reply to these messages, at most `timeout` seconds; each is given once."""
        wanted = set(message_ids)
        end = None if timeout is None else time.monotonic() + timeout
        pause = _SHORTEST
        while wanted:
            ready = [self._unsent.pop(unsent) for unsent in wanted & self._unsent.keys()]
            ready += self._pulled(wanted)
            left = pause if end is None else min(pause, end - time.monotonic())
            if ready or left <= 0:
                return ready
            time.sleep(left)
            pause = min(_LONGEST, 1.5 * pause)
        return []

    def abandon(self, message_ids: Iterable[str]) -> None:
        """Expect no replies to these messages any more; their nodes are busy until they have answered."""
        for message_id in message_ids:
            if message_id in self._homes:
                self._late.setdefault(self._homes[message_id], set()).add(message_id)

    def busy(self, node: int) -> bool:
        """Whether a node still works on something that nobody waits for, so that it is not sent more."""
        late = self._late.get(node, set())
        if late:
            for reply in self._pulled(late):
                late.discard(reply.metadata.reply_to_message_id)
        return bool(late)

    def _pulled(self, message_ids: set[str]) -> list[Message]:
        sent = message_ids & self._homes.keys()
        replies = list(self._grid.pull_messages(sent)) if sent else []
        for reply in replies:
            del self._homes[reply.metadata.reply_to_message_id]
        return replies
