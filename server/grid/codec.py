"""What a grid sends its workers and gets back: large arrays on buffers where they share a machine's memory."""

from __future__ import annotations

from typing import Any

from flwr.app import ArrayRecord

from server.grid.pool import WorkerPool
from server.grid.shared_buffers import BufferedPacket, SharedBuffer, SharedBuffers, write
from server.grid.wire import Packet, from_packet, to_packet
from server.grid.worker import Request, Response


class Codec:
    """How a question is put to a worker of a pool, and what its answer says."""

    def __init__(self, pool: WorkerPool, workers: int, near: bool) -> None:
        """With `near` all workers are on this machine."""
        self._pool, self._buffers = pool, SharedBuffers(spare=2 * workers, on=near)
        self._stored: dict[int, Any] = {}
        """Shared records that were sent, each as workers are told of it."""
        self._full: list[SharedBuffer] = []
        """The buffers that they are on."""

    def write(self, question: Request, shared: list[ArrayRecord]) -> tuple[list[Any], SharedBuffer | None]:
        """What `ClientWorker.answer` is given, and the buffer that it may use, if any."""
        records, packet, buffer = [self._store(record) for record in shared], to_packet(question), self._buffers.blank()
        if buffer is None:
            return [None, packet, *records], None
        return [buffer.place, write(packet, buffer.place, buffer.memory), *records], buffer

    def read(self, answered: Packet | BufferedPacket | None, buffer: SharedBuffer | None) -> Response | None:
        """What `ClientWorker.answer` gave; None where the question must be sent again, without a buffer."""
        if isinstance(answered, BufferedPacket):
            assert buffer is not None
            answered = self._buffers.read(answered, buffer)
        elif buffer is not None:
            self._buffers.wipe(buffer)
        if answered is None:
            self.stop_sharing()
            return None
        answer: Response = from_packet(answered)
        return answer

    def stop_sharing(self) -> None:
        """Use no buffers from now on."""
        if self._buffers.on:
            self._buffers.close()
            self._stored.clear()

    def forget(self) -> None:
        """No worker needs the shared records any more."""
        self._stored.clear()
        while self._full:
            self._buffers.wipe(self._full.pop())

    def close(self) -> None:
        """Let go of all that nobody looks at."""
        self.forget()
        self._buffers.close()

    def _store(self, record: ArrayRecord) -> Any:
        """The record on a buffer or where the pool stores it, put there once however many messages have it."""
        if id(record) not in self._stored:
            packet, buffer = to_packet(record), self._buffers.blank()
            written = packet if buffer is None else write(packet, buffer.place, buffer.memory)
            if buffer is not None:
                self._full.append(buffer)
            self._stored[id(record)] = written if isinstance(written, BufferedPacket) else self._pool.store(packet)
        return self._stored[id(record)]
