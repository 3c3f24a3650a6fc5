"""Workers that are asked by Ray's own calls: wherever they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import ray

from server.grid.pool import WorkerPool, told_by_ray
from server.grid.wire import Packet


class _Called(NamedTuple):
    number: int
    actor: Any


class Calls(WorkerPool):
    """Actors spread over the machines of a cluster."""

    def start(self, number: int) -> _Called:
        return _Called(number, self._actor("SPREAD"))

    def ask(self, worker: _Called, method: str, *arguments: Any) -> Any:
        return getattr(worker.actor, method).remote(*arguments)

    def wait(self, asked: Collection[Any], timeout: float) -> list[Any]:
        done, _ = ray.wait(list(asked), num_returns=1, timeout=timeout)
        return list(done)

    def answer(self, asked: Any) -> Any:
        with told_by_ray():
            return ray.get(asked)

    def store(self, packet: Packet) -> Any:
        return ray.put(packet)
