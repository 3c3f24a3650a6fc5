"""RayGrid: Flower's Grid on a pool of Ray actors. Everything happens on an event; nothing sleeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import ray
from flwr.app import ArrayRecord, Context, Error, Message, RecordDict
from flwr.app.user_config import UserConfig
from flwr.common.constant import ErrorCode
from flwr.supercore.task_identity import TaskIdentity
from ray.exceptions import OutOfMemoryError, RayActorError, RayError

from common.errors import RunError
from server.grid.base import SERVER_NODE, DirectGrid
from server.grid.client_app import answer, load_client_app

_MOST_TRIES = 3
"""A message whose actor died so often is answered with an error: it may be what kills them."""
_SHIP_ONCE = 1 << 15
"""Records of at least so many bytes that several messages share go into Ray's object store once."""


class ClientWorker:
    """A Ray actor: answers messages with a ClientApp, one at a time, on one thread."""

    def __init__(self, client_app: str, run_id: int) -> None:
        import torch

        torch.set_num_threads(1)
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, SERVER_NODE, 1
        self._app = load_client_app(client_app)

    def answer(self, message: Message, context: Context, keys: list[str], *records: Any) -> Message:
        """The reply to a message; `records` are its shared records, to be put back under `keys`."""
        for key, record in zip(keys, records, strict=True):
            message.content[key] = record
        return answer(self._app, message, context)


@dataclass
class _Task:
    message: Message
    keys: list[str] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    tries: int = 0


class RayGrid(DirectGrid):
    """Messages go to whichever actor is free, in the order in which they were pushed.

    A message whose actor dies is given to another, and a new actor takes the dead one's place: the reply is
    the same whoever computed it.
    """

    def __init__(
        self,
        client_app: str,
        node_configs: Sequence[UserConfig],
        run_config: UserConfig,
        workers: int,
        run_id: int = 1,
    ) -> None:
        """`client_app` names the ClientApp as `module:attribute`; `workers` is the number of actors."""
        super().__init__(node_configs, run_config, run_id)
        self._make_actor: Callable[[], Any] = lambda: (
            ray.remote(ClientWorker).options(num_cpus=1).remote(client_app, run_id)
        )
        self._idle: deque[Any] = deque(self._make_actor() for _ in range(workers))
        self._queue: deque[_Task] = deque()
        self._running: dict[Any, tuple[Any, _Task]] = {}
        self._answered: dict[str, Message] = {}

    def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
        """Wait for at least one reply to these messages, at most `timeout` seconds; each is given once."""
        wanted = set(message_ids)
        while True:
            ready = [self._answered.pop(key) for key in wanted & self._answered.keys()]
            if ready or not self._running:
                return ready
            done, _ = ray.wait(list(self._running), num_returns=1, timeout=timeout, fetch_local=True)
            if not done:
                return []
            for reference in done:
                self._take(reference)
            self._dispatch()

    def abandon(self, message_ids: Iterable[str]) -> None:
        """Expect no replies to these messages any more; actors that are busy with one are replaced."""
        given_up = set(message_ids)
        super().abandon(given_up)
        self._queue = deque(task for task in self._queue if task.message.metadata.message_id not in given_up)
        for reference, (actor, task) in list(self._running.items()):
            if task.message.metadata.message_id in given_up:
                del self._running[reference]
                ray.kill(actor)
                self._idle.append(self._make_actor())
        self._dispatch()

    def close(self) -> None:
        """End the actors."""
        for actor in [*self._idle, *(actor for actor, _ in self._running.values())]:
            ray.kill(actor)
        self._idle.clear()
        self._running.clear()
        super().close()

    def _send(self, messages: list[Message]) -> None:
        counts: dict[int, int] = {}
        for message in messages:
            for record in message.content.values():
                counts[id(record)] = counts.get(id(record), 0) + 1
        stored: dict[int, Any] = {}
        for message in messages:
            task = _Task(message)
            content = RecordDict()
            for key, record in message.content.items():
                if counts[id(record)] > 1 and isinstance(record, ArrayRecord) and _bytes(record) >= _SHIP_ONCE:
                    if id(record) not in stored:
                        stored[id(record)] = ray.put(record)
                    task.keys.append(key)
                    task.shared.append(stored[id(record)])
                else:
                    content[key] = record
            if task.keys:
                task.message = copy(message)
                task.message.content = content
            self._queue.append(task)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._queue and self._idle:
            task, actor = self._queue.popleft(), self._idle.popleft()
            context = self.contexts[task.message.metadata.dst_node_id]
            reference = actor.answer.remote(task.message, context, task.keys, *task.shared)
            self._running[reference] = (actor, task)

    def _take(self, reference: Any) -> None:
        """Take a finished task's reply; where its actor died, make a new actor and run the task again."""
        actor, task = self._running.pop(reference)
        try:
            reply = ray.get(reference)
        except (RayActorError, OutOfMemoryError) as error:
            self._lost(task, error)
            return
        except RayError as error:
            # The actor lives; what it was given or gave back could not be read.
            self._idle.append(actor)
            self._fail(task, str(error))
            return
        self._idle.append(actor)
        self._answered[task.message.metadata.message_id] = self._keep_states(reply)

    def _lost(self, task: _Task, error: RayError) -> None:
        task.tries += 1
        reason = " ".join(str(error).split())
        if "creation task" in reason or "__init__" in reason:
            raise RunError(f"a worker could not start: {reason}")
        self._idle.append(self._make_actor())
        self._listener(
            "retry",
            {
                "message": task.message.metadata.message_id,
                "try": task.tries,
                "reason": "its worker died; another does the work again",
                "detail": reason,
            },
        )
        if task.tries < _MOST_TRIES:
            self._queue.appendleft(task)
        else:
            self._fail(task, f"its worker died {task.tries} times: {reason}")

    def _fail(self, task: _Task, reason: str) -> None:
        reply = Message(Error(ErrorCode.REPLY_MESSAGE_UNAVAILABLE, reason), reply_to=task.message)
        self._answered[task.message.metadata.message_id] = reply


def _bytes(record: ArrayRecord) -> int:
    return sum(array.numpy().nbytes for array in record.values())
