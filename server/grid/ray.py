"""RayGrid: Flower's Grid on a pool of Ray actors. Everything happens on an event; nothing sleeps."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol

import ray
from flwr.app import ArrayRecord, Context, Error, Message, RecordDict
from flwr.app.user_config import UserConfig
from flwr.common.constant import ErrorCode
from flwr.supercore.task_identity import TaskIdentity
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayError

from common.errors import RunError
from server.grid.base import SERVER_NODE, DirectGrid
from server.grid.client_app import answer, load_client_app

_MOST_TRIES = 3
"""A message whose actor died so often is answered with an error: it may be what kills them."""
_CHECK_SECONDS = 1.0
"""How often, while waiting, it is looked whether Ray itself is still there."""
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


class Session(Protocol):
    """The Ray that a grid runs on, where it can be started again."""

    def alive(self) -> bool:
        """Whether Ray's own processes are running."""
        ...

    def restart(self) -> None:
        """Start Ray anew; everything that was stored in it is gone."""
        ...


@dataclass
class _Task:
    """A message on its way: what is sent with it, and under which keys its shared records go back into it."""

    message: Message
    keys: list[str]
    shared: list[ArrayRecord]
    tries: int = 0

    @property
    def id(self) -> str:
        return str(self.message.metadata.message_id)


class RayGrid(DirectGrid):
    """Messages go to whichever actor is free, in the order in which they were pushed.

    A message whose actor dies is given to another, and a new actor takes the dead one's place; where Ray
    itself dies it is started again. The reply is the same whoever computed it.
    """

    def __init__(
        self,
        client_app: str,
        node_configs: Sequence[UserConfig],
        run_config: UserConfig,
        workers: int,
        session: Session | None = None,
        run_id: int = 1,
    ) -> None:
        """`client_app` names the ClientApp as `module:attribute`; `workers` is the number of actors."""
        super().__init__(node_configs, run_config, run_id)
        self._client_app, self._workers, self._session = client_app, workers, session
        self._queue: deque[_Task] = deque()
        self._running: dict[Any, tuple[Any, _Task]] = {}
        self._answered: dict[str, Message] = {}
        self._stored: dict[int, Any] = {}
        self._checked = time.monotonic()
        self._idle = self._actors()

    def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
        """Wait for at least one reply to these messages, at most `timeout` seconds; each is given once."""
        wanted = set(message_ids)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            ready = [self._answered.pop(key) for key in wanted & self._answered.keys()]
            left = _CHECK_SECONDS if end is None else max(0.0, min(end - time.monotonic(), _CHECK_SECONDS))
            if ready or not self._running:
                return ready
            done, _ = ray.wait(list(self._running), num_returns=1, timeout=left)
            if time.monotonic() - self._checked > _CHECK_SECONDS and self._recovered():
                continue
            for reference in done:
                self._take(reference)
            self._dispatch()
            if not done and end is not None and time.monotonic() >= end:
                return []

    def abandon(self, message_ids: Iterable[str]) -> None:
        """Expect no replies to these messages any more; actors that are busy with one are replaced."""
        given_up = set(message_ids)
        super().abandon(given_up)
        self._queue = deque(task for task in self._queue if task.id not in given_up)
        for reference, (actor, task) in list(self._running.items()):
            if task.id in given_up:
                del self._running[reference]
                ray.kill(actor)
                self._idle.append(self._actor())
        self._dispatch()

    def close(self) -> None:
        """End the actors."""
        for actor in [*self._idle, *(actor for actor, _ in self._running.values())]:
            ray.kill(actor)
        self._idle.clear()
        self._running.clear()
        super().close()

    def _send(self, messages: list[Message]) -> None:
        counts = Counter(id(record) for message in messages for record in message.content.values())
        for message in messages:
            task = _Task(copy(message), [], [])
            task.message.content = RecordDict()
            for key, record in message.content.items():
                if counts[id(record)] > 1 and isinstance(record, ArrayRecord) and _bytes(record) >= _SHIP_ONCE:
                    task.keys.append(key)
                    task.shared.append(record)
                else:
                    task.message.content[key] = record
            self._queue.append(task)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._queue and self._idle:
            task, actor = self._queue.popleft(), self._idle.popleft()
            context = self.contexts[task.message.metadata.dst_node_id]
            shared = [self._store(record) for record in task.shared]
            self._running[actor.answer.remote(task.message, context, task.keys, *shared)] = (actor, task)
        if not self._queue and not self._running:
            self._stored.clear()

    def _store(self, record: ArrayRecord) -> Any:
        """The record in Ray's object store, put there once however many messages have it."""
        if id(record) not in self._stored:
            self._stored[id(record)] = ray.put(record)
        return self._stored[id(record)]

    def _take(self, reference: Any) -> None:
        """Take a finished task's reply; where its actor died, make a new actor and run the task again."""
        if reference not in self._running:
            return
        actor, task = self._running[reference]
        try:
            reply = ray.get(reference)
        except (RayActorError, OutOfMemoryError, ObjectLostError) as error:
            if not self._recovered():
                del self._running[reference]
                self._lost(task, " ".join(str(error).split()))
            return
        except RayError as error:
            # The actor lives; what it was given or gave back could not be read.
            reply = Message(Error(ErrorCode.REPLY_MESSAGE_UNAVAILABLE, str(error)), reply_to=task.message)
        del self._running[reference]
        self._idle.append(actor)
        self._answered[task.id] = self._keep_states(reply)

    def _lost(self, task: _Task, detail: str) -> None:
        task.tries += 1
        if "raised in its creation task" in detail:
            raise RunError(f"a worker could not start: {detail}")
        self._idle.append(self._actor())
        reason = "its worker died; another does the work again"
        self._listener("retry", {"message": task.id, "try": task.tries, "reason": reason, "detail": detail})
        if task.tries < _MOST_TRIES:
            self._queue.appendleft(task)
        else:
            reason = f"its worker died {task.tries} times\n{detail}"
            self._answered[task.id] = Message(Error(ErrorCode.REPLY_MESSAGE_UNAVAILABLE, reason), reply_to=task.message)

    def _recovered(self) -> bool:
        """Where Ray itself has died, start it again and do the work again that was under way."""
        self._checked = time.monotonic()
        if self._session is None or self._session.alive():
            return False
        unfinished = [task for _, task in self._running.values()]
        self._running.clear()
        self._stored.clear()
        self._session.restart()
        self._idle = self._actors()
        self._queue.extendleft(reversed(unfinished))
        self._listener("retry", {"messages": len(unfinished), "reason": "Ray died; it was started again"})
        self._dispatch()
        return True

    def _actors(self) -> deque[Any]:
        return deque(self._actor() for _ in range(self._workers))

    def _actor(self) -> Any:
        return ray.remote(ClientWorker).options(num_cpus=1).remote(self._client_app, self.run.run_id)


def _bytes(record: ArrayRecord) -> int:
    return sum(array.numpy().nbytes for array in record.values())
