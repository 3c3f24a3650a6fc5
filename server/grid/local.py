"""LocalGrid: the same messages, answered one after the other in this process; for debugging."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar

from flwr.app import Message
from flwr.app.user_config import UserConfig

from server.grid.base import DirectGrid
from server.grid.client_app import answer, load_client_app


class LocalGrid(DirectGrid):
    """A grid whose nodes answer when a reply is waited for."""

    works_when_waited_for: ClassVar[bool] = True

    def __init__(
        self, client_app: str, node_configs: Sequence[UserConfig], run_config: UserConfig, run_id: int = 1
    ) -> None:
        """`client_app` names the ClientApp as `module:attribute`."""
        super().__init__(node_configs, run_config, run_id)
        self._app = load_client_app(client_app)
        self._waiting: deque[Message] = deque()

    def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
        """Answer the next of these messages."""
        wanted = set(message_ids)
        for message in list(self._waiting):
            if message.metadata.message_id in wanted:
                self._waiting.remove(message)
                self._tell_work(0, message)
                started = time.perf_counter()
                reply = answer(self._app, self._with_states(message), self.contexts[message.metadata.dst_node_id])
                self._tell_work(0, message, time.perf_counter() - started)
                return [self._keep_states(reply)]
        return []

    def abandon(self, message_ids: Iterable[str]) -> None:
        """Forget these messages."""
        given_up = set(message_ids)
        super().abandon(given_up)
        self._waiting = deque(one for one in self._waiting if one.metadata.message_id not in given_up)

    def _send(self, messages: list[Message]) -> None:
        self._waiting.extend(messages)
