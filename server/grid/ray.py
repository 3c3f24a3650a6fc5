"""RayGrid: Flower's Grid on a pool of Ray actors. Everything happens on an event; nothing sleeps while Ray lives."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol

import ray
from flwr.app import ArrayRecord, Error, Message
from flwr.app.user_config import UserConfig

from common.compat.flower import ErrorCode
from common.compat.ray import failed_to_start
from common.errors import RunError
from common.messages import Content
from server.grid.base import DirectGrid
from server.grid.calls import Calls
from server.grid.codec import Codec
from server.grid.machine import Machine
from server.grid.pool import HUNG_UP, Worker, WorkerDied, WorkerFailed, WorkerPool, one_line
from server.grid.shared_buffers import SharedBuffer
from server.grid.socket_pool import SocketPool, is_local
from server.grid.wire import to_packet
from server.grid.worker import Request, Response

_log = logging.getLogger("hothouse.worker")

_DYING_SECONDS = 2.0
"""How long a process that hung up may take to be seen dead."""
_MOST_TRIES = 3
"""A message whose actor died so often is answered with an error: it may be what kills them."""
_LONELY_SECONDS = 60.0
"""So long a run waits, when a cluster has lost its last processor, for another machine to join."""
_CHECK_SECONDS = 1.0
"""How often, while waiting, it is looked whether Ray itself is still there."""
_SHIP_ONCE = 1 << 15
"""Records of at least this many bytes that several messages share are sent once."""


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
    buffer: SharedBuffer | None = None
    """Where the arrays of the question lie and then, if its actor can, those of the answer."""

    @property
    def id(self) -> str:
        return str(self.message.metadata.message_id)


class RayGrid(DirectGrid):
    """Messages go to whichever actor is free, in the order in which they were pushed.

    A message whose actor dies is given to another, and a new actor takes the dead one's place; where Ray
    itself dies it is started again. The reply is the same whoever computed it. On a cluster actors are spread
    over the machines; a place for which no machine has a processor left stays empty until one has.
    """

    def __init__(
        self,
        client_app: str,
        node_configs: Sequence[UserConfig],
        run_config: UserConfig,
        workers: int,
        session: Session | None = None,
        run_id: int = 1,
        machine: Machine | None = None,
        texts: Sequence[bytes] = (),
        card_share: float | None = None,
    ) -> None:
        """`client_app` names the ClientApp as `module:attribute`; `workers` is the number of actors.

        With a `machine` actors find or prepare the data on their own machines, whichever these are. `texts` are the
        files that the scenario uses; `card_share` is what part of a card each actor asks Ray for: with 0 it
        finds none, with None those that this process finds.
        """
        super().__init__(node_configs, run_config, run_id)
        self._workers, self._session = workers, session
        near = machine is None and is_local(workers)
        self._pool: WorkerPool = (SocketPool if near else Calls)(client_app, run_id, machine, texts, card_share)
        self._queue: deque[_Task] = deque()
        self._running: dict[Any, tuple[Worker, _Task]] = {}
        self._answered: dict[str, Message] = {}
        self._codec = Codec(self._pool, workers, near)
        self._checked = self._heard = time.monotonic()
        self._idle: deque[Worker] = deque()
        self._unconfirmed: dict[Any, Worker] = {}
        """Workers that have yet to show that they are there: new ones, and all when one has died."""
        self._failures: Counter[int] = Counter()
        self._start_all()

    def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
        """Wait for at least one reply to these messages, at most `timeout` seconds; each is given once."""
        wanted = set(message_ids)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            ready = [self._answered.pop(key) for key in wanted & self._answered.keys()]
            left = _CHECK_SECONDS if end is None else max(0.0, min(end - time.monotonic(), _CHECK_SECONDS))
            if ready or not (self._running or self._queue):
                return ready
            try:
                done = self._pool.wait([*self._running, *self._unconfirmed], left)
                if time.monotonic() - self._checked > _CHECK_SECONDS and self._recovered():
                    continue
                for asked in done:
                    self._collect(asked)
                    self._dispatch()
            except HUNG_UP as error:
                self._recover(error)
                continue
            self._fill_empty_places(bool(done))
            if not done and end is not None and time.monotonic() >= end:
                return []

    def abandon(self, message_ids: Iterable[str]) -> None:
        """Expect no replies to these messages any more; actors that are busy with one are replaced."""
        given_up = set(message_ids)
        super().abandon(given_up)
        self._queue = deque(task for task in self._queue if task.id not in given_up)
        for asked, (worker, task) in list(self._running.items()):
            if task.id in given_up:
                self._drop(asked)
                self._replace(worker)
        self._dispatch()

    def close(self) -> None:
        """End the actors."""
        for worker in [*self._idle, *self._unconfirmed.values(), *(worker for worker, _ in self._running.values())]:
            self._pool.end(worker)
        self._idle.clear()
        self._unconfirmed.clear()
        for asked in list(self._running):
            self._drop(asked)
        self._codec.close()
        self._pool.close()
        super().close()

    def _send(self, messages: list[Message]) -> None:
        counts = Counter(id(record) for message in messages for record in message.content.values())
        for message in messages:
            task = _Task(copy(message), [], [])
            own = {}
            for key, record in message.content.items():
                if counts[id(record)] > 1 and isinstance(record, ArrayRecord) and _bytes(record) >= _SHIP_ONCE:
                    task.keys.append(key)
                    task.shared.append(record)
                else:
                    own[key] = record
            task.message.content = Content(own)
            self._queue.append(task)
        self._dispatch()

    def _dispatch(self) -> None:
        """Give work to the actors that are free."""
        while self._queue and self._idle:
            try:
                self._assign(self._queue[0], self._idle[0])
            except HUNG_UP as error:
                self._recover(error)
                return
            self._queue.popleft()
            self._idle.popleft()
        if not self._queue and not self._running:
            self._codec.forget()

    def _assign(self, task: _Task, worker: Worker) -> None:
        context = self.contexts[task.message.metadata.dst_node_id]
        message = self._with_states(task.message)
        given, task.buffer = self._codec.write(Request(message, context, task.keys), task.shared)
        self._running[self._pool.ask(worker, "answer", *given)] = (worker, task)
        self._tell_work(worker.number, task.message)

    def _drop(self, asked: Any) -> _Task:
        """The task will not be answered; whoever worked on it may still write on its buffer."""
        _, task = self._running.pop(asked)
        if task.buffer is not None:
            task.buffer.close()
        return task

    def _collect(self, asked: Any) -> None:
        """Take a finished task's reply; where its worker died, start a new one and run the task again."""
        if asked in self._unconfirmed:
            self._confirm(asked)
            return
        if asked not in self._running:
            return
        worker, task = self._running[asked]
        try:
            answered = self._pool.answer(asked)
        except WorkerDied as error:
            if not self._recovered():
                self._fail(self._drop(asked), worker, error)
            return
        except WorkerFailed as error:
            if self._recovered():
                return
            reply = Message(Error(ErrorCode.REPLY_MESSAGE_UNAVAILABLE, str(error)), reply_to=task.message)
            answered = to_packet(Response(reply, 0.0, []))
        del self._running[asked]
        self._idle.append(worker)
        given = self._codec.read(answered, task.buffer)
        if given is None:
            self._queue.appendleft(task)
            return
        self._tell_work(worker.number, task.message, given.seconds)
        for complaint in given.complaints:
            _log.warning("%s", complaint)
        if given.state is not None:
            self.contexts[task.message.metadata.dst_node_id].state = given.state
        self._answered[task.id] = self._keep_states(given.reply)

    def _confirm(self, asked: Any) -> None:
        """A worker has shown that it is there, or that it is not."""
        worker = self._unconfirmed[asked]
        try:
            self._pool.answer(asked)
        except (WorkerDied, WorkerFailed) as error:
            if not self._recovered():
                del self._unconfirmed[asked]
                self._failures[worker.number] += 1
                self._replace(worker, error, self._failures[worker.number] == _MOST_TRIES)
            return
        del self._unconfirmed[asked]
        self._failures.pop(worker.number, None)
        self._idle.append(worker)

    def _fail(self, task: _Task, worker: Worker, error: WorkerDied) -> None:
        task.tries += 1
        # Others may have died with it, on the same machine say; the work is only given to one that shows it has not.
        while self._idle:
            self._ask_if_alive(self._idle.popleft())
        self._replace(worker, error)
        detail = one_line(error)
        reason = "its worker died; another does the work again"
        self.events.notice("retry", **{"message": task.id, "try": task.tries, "reason": reason, "detail": detail})
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
        unfinished = [self._drop(asked) for asked in list(self._running)]
        self._codec.forget()
        self._session.restart()
        self._idle.clear()
        self._unconfirmed.clear()
        self._start_all()
        self._queue.extendleft(reversed(unfinished))
        self.events.notice("retry", messages=len(unfinished), reason="Ray died; it was started again")
        self._dispatch()
        return True

    def _recover(self, error: Exception) -> None:
        """Go on after Ray has hung up. Raises RunError where it has not died, or is not ours to start again."""
        end = time.monotonic() + _DYING_SECONDS
        while not self._recovered():
            if self._session is None or time.monotonic() > end:
                raise RunError(
                    f"Ray stopped responding: {one_line(error)}; hothouse resume continues the run"
                ) from error
            time.sleep(0.01)

    def _fill_empty_places(self, heard: bool) -> None:
        """Raise RunError where work waits and a cluster has had no processor for long."""
        now = time.monotonic()
        if heard or self._running:
            self._heard = now
        elif now - self._heard > _LONELY_SECONDS:
            if not ray.cluster_resources().get("CPU", 0):
                raise RunError("no machine of the Ray cluster has a processor left; hothouse resume continues the run")
            self._heard = now

    def _start_all(self) -> None:
        for number in range(self._workers):
            self._start(number)

    def _start(self, number: int) -> None:
        self._ask_if_alive(self._pool.start(number))

    def _ask_if_alive(self, worker: Worker) -> None:
        self._unconfirmed[self._pool.ask(worker, "ready")] = worker

    def _replace(self, worker: Worker, error: Exception | None = None, hopeless: bool = False) -> None:
        """Start an actor in a worker's place, and end the old one, which may only be out of reach.

        Raises RunError where it is hopeless: what went wrong would go wrong again.
        """
        if error is not None and (hopeless or failed_to_start(error)):
            raise RunError(f"a worker could not start: {one_line(error)}") from None
        self._pool.end(worker)
        self._start(worker.number)


def _bytes(record: ArrayRecord) -> int:
    return sum(array.numpy().nbytes for array in record.values())
