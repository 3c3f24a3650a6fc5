"""SharedGrid: a grid that several threads may use, as Flower's own may."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from common.compat.flower import Run
from server.grid.base import DirectGrid

_SLICE_SECONDS = 0.01
"""How long a message that is sent while others are on their way may have to wait before it is passed on."""


class SharedGrid(Grid):
    """Passes what any thread asks to a grid that one thread may use: its own."""

    def __init__(self, grid: DirectGrid) -> None:
        self._grid = grid
        self._asked: SimpleQueue[tuple[list[Message], Future[list[str]]] | None] = SimpleQueue()
        self._replies: dict[str, Message] = {}
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="hothouse-grid", daemon=True)
        self._thread.start()

    @property
    def run(self) -> Run:
        """The description of the run."""
        return self._grid.run

    def set_run(self, run: Run) -> None:
        """Take over the description of the run."""
        self._grid.set_run(run)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A message to a node; Flower prefers `Message(…)`."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> list[int]:
        """The ids of all nodes."""
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages; returns their ids. Raises what the grid raises, also later than where it happened."""
        sent: Future[list[str]] = Future()
        with self._changed:
            self._check()
            self._asked.put((list(messages), sent))
        return sent.result()

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies to these messages that are there by now; each is given once."""
        with self._changed:
            self._check()
            return [self._replies.pop(one) for one in message_ids if one in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send messages and wait for all replies, or for `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        ids = self.push_messages(messages)
        with self._changed:
            self._changed.wait_for(
                lambda: self._failure is not None or all(one in self._replies for one in ids),
                None if end is None else max(0.0, end - time.monotonic()),
            )
        return self.pull_messages(ids)

    def close(self) -> None:
        """End the thread; the grid itself stays."""
        self._asked.put(None)
        self._thread.join()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        """Send what is asked for and take what arrives, until there is nothing more to do."""
        open_ids: set[str] = set()
        pending: Future[list[str]] | None = None
        try:
            while True:
                with suppress(Empty):
                    asked = self._asked.get(block=not open_ids)
                    if asked is None:
                        return
                    messages, pending = asked
                    try:
                        ids = self._grid.push_messages(messages)
                    except ValueError as error:
                        # Such as a node that does not exist: the mistake of whoever asked.
                        pending.set_exception(error)
                    else:
                        open_ids |= set(ids)
                        pending.set_result(ids)
                    pending = None
                    continue
                arrived = self._grid.wait(open_ids, _SLICE_SECONDS)
                if arrived:
                    replies = {reply.metadata.reply_to_message_id: reply for reply in arrived}
                    open_ids -= replies.keys()
                    with self._changed:
                        self._replies |= replies
                        self._changed.notify_all()
        except BaseException as error:
            # Told to whoever asks next, and to whoever waits.
            with self._changed:
                self._failure = error
                self._changed.notify_all()
                waiting = [pending] if pending is not None else []
                with suppress(Empty):
                    while (left := self._asked.get(block=False)) is not None:
                        waiting.append(left[1])
            for sent in waiting:
                sent.set_exception(error)
