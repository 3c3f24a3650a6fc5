"""What a grid sends its workers and gets back: large arrays on slates where they share a machine's memory."""

from __future__ import annotations

from typing import Any

from flwr.app import ArrayRecord

from server.grid.pool import WorkerPool
from server.grid.shared_buffers import BufferedPacket, SharedBuffer, SharedBuffers, write
from server.grid.wire import Packet, packed, unpacked
from server.grid.worker import Request, Response


class Codec:
    """How a question is put to a worker of a pool, and what its answer says."""

    def __init__(self, pool: WorkerPool, workers: int, near: bool) -> None:
        """With `near` all workers are on this machine."""
        self._pool, self._slates = pool, SharedBuffers(spare=2 * workers, on=near)
        self._stored: dict[int, Any] = {}
        """Shared records that were sent, each as workers are told of it."""
        self._full: list[SharedBuffer] = []
        """The slates that they are on."""

    def write(self, question: Request, shared: list[ArrayRecord]) -> tuple[list[Any], SharedBuffer | None]:
        """What `ClientWorker.answer` is given, and the slate that it may use, if any."""
        records, packet, slate = [self._store(record) for record in shared], packed(question), self._slates.blank()
        if slate is None:
            return [None, packet, *records], None
        return [slate.place, write(packet, slate.place, slate.memory), *records], slate

    def read(self, answered: Packet | BufferedPacket | None, slate: SharedBuffer | None) -> Response | None:
        """What `ClientWorker.answer` gave; None where the question must be sent again, without a slate."""
        if isinstance(answered, BufferedPacket):
            assert slate is not None
            answered = self._slates.read(answered, slate)
        elif slate is not None:
            self._slates.wipe(slate)
        if answered is None:
            self.off_slates()
            return None
        answer: Response = unpacked(answered)
        return answer

    def off_slates(self) -> None:
        """Use no slates from now on."""
        if self._slates.on:
            self._slates.close()
            self._stored.clear()

    def forget(self) -> None:
        """No worker needs the shared records any more."""
        self._stored.clear()
        while self._full:
            self._slates.wipe(self._full.pop())

    def close(self) -> None:
        """Let go of all that nobody looks at."""
        self.forget()
        self._slates.close()

    def _store(self, record: ArrayRecord) -> Any:
        """The record on a slate or where the pool stores it, put there once however many messages have it."""
        if id(record) not in self._stored:
            packet, slate = packed(record), self._slates.blank()
            written = packet if slate is None else write(packet, slate.place, slate.memory)
            if slate is not None:
                self._full.append(slate)
            self._stored[id(record)] = written if isinstance(written, BufferedPacket) else self._pool.store(packet)
        return self._stored[id(record)]
