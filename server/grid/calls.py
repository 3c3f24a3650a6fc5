"""Workers that are asked by Ray's own calls: wherever they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import ray

from server.grid.pool import WorkerPool, ray_reason
from server.grid.wire import Packet


class _Call(NamedTuple):
    number: int
    actor: Any


class Calls(WorkerPool):
    """Actors spread over the machines of a cluster."""

    def start(self, number: int) -> _Call:
        return _Call(number, self._actor("SPREAD"))

    def ask(self, worker: _Call, method: str, *arguments: Any) -> Any:
        return getattr(worker.actor, method).remote(*arguments)

    def wait(self, asked: Collection[Any], timeout: float) -> list[Any]:
        done, _ = ray.wait(list(asked), num_returns=1, timeout=timeout)
        return list(done)

    def answer(self, asked: Any) -> Any:
        with ray_reason():
            return ray.get(asked)

    def store(self, packet: Packet) -> Any:
        return ray.put(packet)
