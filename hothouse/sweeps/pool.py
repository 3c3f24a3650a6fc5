"""Where the runs of a sweep are done: one after the other here, or several at once on one Ray."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from hothouse.running.cards import card_share
from hothouse.running.logs import capture_logs
from hothouse.running.ray_session import RaySession, ray_session
from hothouse.sweeps.execute import Job, RunOutcome, execute

_MOST_TRIES = 3
"""A run whose process died so often has failed: it may be what kills it."""
_LEAVE_SECONDS = 20.0
"""How long runs are given to save what they have when the sweep is interrupted."""

Done = list[tuple[Job, RunOutcome]]


class RunPool(Protocol):
    """Takes jobs while it has room, and gives back how they ended."""

    def has_room(self) -> bool:
        """Whether another job would begin at once."""
        ...

    def submit(self, job: Job) -> None:
        """Take a job."""
        ...

    def wait(self, seconds: float) -> Done:
        """What has ended, after at most about this many seconds if that is nothing."""
        ...

    def stop(self) -> None:
        """Have the runs under way save what they have and end."""
        ...


class LocalPool:
    """One run after the other in this process."""

    def __init__(self, tick: Callable[[], None]) -> None:
        """`tick` is called after every round."""
        self._tick = tick
        self._waiting: deque[Job] = deque()

    def has_room(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def submit(self, job: Job) -> None:
        """Keep the job until it is waited for."""
        self._waiting.append(job)

    def wait(self, seconds: float) -> Done:
        """Do the run that waits."""
        job = self._waiting.popleft()

        def after_a_round() -> bool:
            self._tick()
            return False

        outcome = execute(job, after_a_round)
        if outcome.status == "interrupted":
            raise KeyboardInterrupt
        return [(job, outcome)]

    def stop(self) -> None:
        """Nothing is under way but what is waited for."""


class RunWorker:
    """A Ray actor that does one run at a time; it can be told to stop while it does."""

    def __init__(self, cache: str) -> None:
        os.environ["HOTHOUSE_CACHE"] = cache
        self._stopped = threading.Event()

    def execute(self, job: Job) -> RunOutcome:
        """Do a run."""
        return execute(job, self._stopped.is_set)

    def stop(self) -> None:
        """End the run after the round it is in."""
        self._stopped.set()


@dataclass
class _Task:
    job: Job
    tries: int = 0


class RayPool:
    """`at_once` actors, each of which does one run after the other.

    A run whose actor dies is resumed by another, from its newest checkpoint, and so are all of them where
    Ray itself dies and is started again.
    """

    def __init__(self, workers: int, at_once: int, cache: str, home: Path, cards: int = 0) -> None:
        """`workers` is the number of processors for Ray, `cards` that of cards, `cache` the folder of prepared data.

        What Ray logs goes into the sweep's folder, `home`.
        """
        self._workers, self._at_once, self._cache, self._home = workers, at_once, cache, home
        self._cards = cards
        self._ray = ExitStack()
        self._session: RaySession | None = None
        self._started = False
        self._idle: deque[Any] = deque()
        self._running: dict[Any, tuple[Any, _Task]] = {}
        self._ended: Done = []

    def __enter__(self) -> RayPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            self._close()
        self._ray.close()

    def has_room(self) -> bool:
        """Whether an actor is free."""
        return len(self._running) < self._at_once

    def submit(self, job: Job) -> None:
        """Give the job to a free actor; Ray is started for the first."""
        if not self._started:
            logs = self._ray.enter_context(capture_logs(lambda source, text: None))
            logs.into(self._home)
            self._session = self._ray.enter_context(ray_session(self._workers, logs, cards=self._cards))
            self._started = True
        self._start(_Task(job))

    def wait(self, seconds: float) -> Done:
        """What has ended by now or within this many seconds."""
        import ray

        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        for reference in ready:
            self._take(reference)
        if not ready:
            self._recovered()
        ended, self._ended = self._ended, []
        return ended

    def stop(self) -> None:
        """Have every run under way end after its round; those that take too long are left as they are."""
        import ray

        with suppress(Exception):
            for actor, _ in self._running.values():
                actor.stop.remote()
            ray.wait(list(self._running), num_returns=len(self._running), timeout=_LEAVE_SECONDS)

    def _close(self) -> None:
        """End the actors."""
        import ray

        for actor in [*self._idle, *(actor for actor, _ in self._running.values())]:
            ray.kill(actor)
        self._idle.clear()
        self._running.clear()

    def _start(self, task: _Task) -> None:
        actor = self._idle.popleft() if self._idle else self._actor(task.job)
        self._running[actor.execute.remote(task.job)] = (actor, task)

    def _take(self, reference: Any) -> None:
        import ray
        from ray.exceptions import RayError

        actor, task = self._running[reference]
        try:
            outcome = ray.get(reference)
        except RayError as error:
            if self._recovered():
                return
            del self._running[reference]
            task.tries += 1
            if task.tries < _MOST_TRIES:
                self._start(task)
            else:
                detail = " ".join(str(error).split())
                self._ended.append((task.job, RunOutcome("failed", f"its process died {task.tries} times: {detail}")))
            return
        del self._running[reference]
        self._idle.append(actor)
        self._ended.append((task.job, outcome))

    def _recovered(self) -> bool:
        """Where Ray itself has died, start it again and continue with the runs that were under way."""
        if self._session is None or self._session.alive():
            return False
        tasks = [task for _, task in self._running.values()]
        self._running.clear()
        self._idle.clear()
        self._session.restart()
        for task in tasks:
            self._start(task)
        return True

    def _actor(self, job: Job) -> Any:
        import ray

        # An actor that has its clients trained by actors of their own leaves the processors to these.
        own = job.engine == "local"
        options = {"num_cpus": int(own), "num_gpus": card_share(self._cards, self._at_once) if own else 0}
        return ray.remote(RunWorker).options(**options, max_concurrency=2).remote(self._cache)
