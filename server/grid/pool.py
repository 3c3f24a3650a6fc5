"""What a RayGrid needs of its workers: to start and end them, to ask one something, to hear who has answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RaySystemError,
)

from common.errors import InputError
from server.grid.machine import Machine
from server.grid.wire import Packet
from server.grid.worker import ClientWorker

HUNG_UP = (OSError, RaySystemError)
"""What anything asked of a pool raises where Ray's own process has died in the middle of it."""

_DEATHS = (RayActorError, OutOfMemoryError, ObjectLostError, NodeDiedError, LocalRayletDiedError)


class WorkerDied(Exception):
    """A worker is gone, and with it what it was asked."""


class WorkerFailed(Exception):
    """A worker is there, but could not read what it was asked, or its answer cannot be read."""


class Worker(Protocol):
    """An actor."""

    number: int
    """Its place: another takes it when this one is gone."""
    actor: Any


class WorkerPool(ABC):
    """Actors of Ray's, each of which answers one question at a time."""

    def __init__(
        self,
        client_app: str,
        run_id: int,
        machine: Machine | None = None,
        texts: Sequence[bytes] = (),
        card_share: float | None = None,
    ) -> None:
        """Actors run the ClientApp named `client_app`, and on a cluster find their data by `machine`.

        `texts` are the files that the scenario uses, `card_share` what part of a card each actor
        asks for: with 0 it finds none, with None those that this process finds.
        """
        self._arguments = (client_app, run_id, machine, texts, card_share == 0)
        self._card_share = card_share or 0.0
        self._open()

    def _open(self) -> None:
        """Make what belongs to the pool itself; `close` lets go of it."""

    @abstractmethod
    def start(self, number: int) -> Any:
        """A new Worker in the place `number`, which need not be up yet."""

    def end(self, worker: Any) -> None:
        """End a worker, whatever it does."""
        ray.kill(worker.actor)

    @abstractmethod
    def ask(self, worker: Any, method: str, *arguments: Any) -> Any:
        """Have a worker answer by one of its methods; returns what `wait` and `answer` know this by."""

    @abstractmethod
    def wait(self, asked: Collection[Any], timeout: float) -> list[Any]:
        """Those that have been answered or never will be: at least one, unless `timeout` seconds pass."""

    @abstractmethod
    def answer(self, asked: Any) -> Any:
        """The answer. Raises WorkerDied or WorkerFailed, or InputError where the worker found a user's mistake."""

    @abstractmethod
    def store(self, packet: Packet) -> Any:
        """What can be given in the place of a packet that many are to get."""

    def close(self) -> None:
        """Let go of what belongs to the pool itself."""

    def _actor(self, strategy: Any) -> Any:
        options = ray.remote(ClientWorker).options(num_cpus=1, num_gpus=self._card_share, scheduling_strategy=strategy)
        return options.remote(*self._arguments)


@contextmanager
def ray_reason() -> Iterator[None]:
    """Raise what Ray has to tell of a worker as `WorkerPool.answer` does."""
    try:
        yield
    except _DEATHS as error:
        raise WorkerDied(one_line(error)) from error
    except RayError as error:
        if isinstance(cause := getattr(error, "cause", None), InputError):
            raise cause from None
        raise WorkerFailed(one_line(error)) from error


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())
