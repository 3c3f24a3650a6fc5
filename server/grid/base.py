"""What our grids have in common: nodes, message ids, and waiting for replies without polling."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import ClassVar

from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.app.user_config import UserConfig
from flwr.serverapp import Grid

from common.arrays import pack, unpack
from common.compat.flower import Run, TaskIdentity, set_message_id
from common.data.prepared import Indices
from common.extend.events import Events, WorkerEvent
from common.messages import STATE, VERSIONS, Blocks, Content
from server.grid.states import ClientStates

SERVER_NODE = 1
"""The id under which the server sends; nodes count from 2."""

"""Told what workers take up and have done."""


class DirectGrid(Grid):
    """A Flower Grid whose nodes are on hand: replies are waited for, not polled."""

    works_when_waited_for: ClassVar[bool] = False
    """Whether nodes work only while a reply is waited for, one after the other: no deadline makes sense there."""

    def __init__(self, node_configs: Sequence[UserConfig], run_config: UserConfig, run_id: int = 1) -> None:
        """`node_configs` has an entry per node: what its ClientApp finds in `context.node_config`."""
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, SERVER_NODE, 1
        self._run = Run.create_empty(run_id)
        self._contexts = {
            node: Context(run_id, node, config, RecordDict(), dict(run_config))
            for node, config in enumerate(node_configs, start=SERVER_NODE + 1)
        }
        self._next_id = itertools.count(1)
        self.events = Events()
        """Where retries and the like go, and what each worker does."""
        self.states = ClientStates()
        self._writes: dict[str, tuple[int, Indices]] = {}

    @property
    def contexts(self) -> Mapping[int, Context]:
        """Each node's context."""
        return self._contexts

    def set_run(self, run: Run) -> None:
        """Take over the description of the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """The description of the run."""
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A message to a node; Flower prefers `Message(…)`."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """The ids of all nodes."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages, those expected to take longest first; returns their ids."""
        batch = list(messages)
        for message in batch:
            if message.metadata.dst_node_id not in self._contexts:
                raise ValueError(f"no node {message.metadata.dst_node_id}; there are {list(self._contexts)}")
            set_message_id(message, str(next(self._next_id)))
        self._send(batch)
        return [message.metadata.message_id for message in batch]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies to these messages that are there by now; each is given once."""
        return self.wait(message_ids, timeout=0)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send messages and wait for all replies, or for `timeout` seconds."""
        ids = set(self.push_messages(messages))
        end = None if timeout is None else time.monotonic() + timeout
        received: list[Message] = []
        while ids:
            left = None if end is None else max(0.0, end - time.monotonic())
            arrived = self.wait(ids, left)
            if not arrived:
                break
            received += arrived
            ids.difference_update(reply.metadata.reply_to_message_id for reply in arrived)
        return received

    def abandon(self, message_ids: Iterable[str]) -> None:
        """Expect no replies to these messages any more."""
        for message_id in message_ids:
            self._writes.pop(message_id, None)

    def busy(self, node: int) -> bool:
        """Whether a node still works on what was given up: ours are stopped then."""
        return False

    def close(self) -> None:
        """Let go of what the grid holds."""
        self.states.close()

    def _with_states(self, message: Message) -> Message:
        """The message together with the states of its clients that it builds on, where it names any.

        To be asked for when work on the message begins: the states of all clients may be more than memory holds.
        """
        if VERSIONS not in message.content:
            return message
        clients = Blocks.read(message.content.array_records["blocks"]).clients
        versions = unpack(message.content.array_records[VERSIONS])
        states, _ = self.states.get(clients, versions["committed"])
        if "next" in versions:
            self._writes[message.metadata.message_id] = (int(versions["next"][0]), clients)
        whole = copy(message)
        whole.content = Content({**message.content, STATE: pack(states)})
        return whole

    def _keep_states(self, reply: Message) -> Message:
        """Take the clients' new states out of a reply and keep them."""
        write = self._writes.pop(reply.metadata.reply_to_message_id, None)
        if write and reply.has_content() and STATE in reply.content:
            self.states.put(*write, unpack(reply.content.array_records[STATE]))
            del reply.content[STATE]
        return reply

    def _tell_work(self, worker: int, message: Message, seconds: float | None = None) -> None:
        """Tell that a worker takes up a message or, with `seconds`, is done with it."""
        blocks = message.content.get("blocks")
        clients = len(Blocks.read(blocks).clients) if isinstance(blocks, ArrayRecord) else 0
        self.events.listen(WorkerEvent(worker, message.metadata.message_type, clients, seconds))

    @abstractmethod
    def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
        """Wait for at least one reply to these messages, at most `timeout` seconds; each is given once."""

    @abstractmethod
    def _send(self, messages: list[Message]) -> None:
        """Start the work that the messages ask for."""
