"""Workers on this machine, each at the end of a Unix socket.

By Ray's calls a round of a hundred small clients takes 1.4 times as long (W2 in benchmarks/README.md). Here Ray starts
the workers, watches over them and tells why one died; what they are asked goes straight to them.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from common.compat.ray import uses_ray_client
from server.grid.peer import peer_user
from server.grid.pool import WorkerDied, WorkerFailed, WorkerPool, one_line
from server.grid.wire import Packet
from server.grid.worker import Failure

_TELLING_SECONDS = 2.0
"""How long Ray may take to tell why a worker died whose line is dead."""


@dataclass(eq=False)
class _Connection:
    """A worker, and the way to it once it is up."""

    number: int
    actor: Any
    serving: Any = None
    """The call of Ray's that lasts as long as the worker."""
    socket: Connection | None = None
    unsent: tuple[Any, ...] | None = None
    """What it was asked before it was up."""
    ended: bool = False


class SocketPool(WorkerPool):
    """Actors on this machine; what is known of a question is the line that it went by."""

    def _open(self) -> None:
        self._address = f"\0hothouse-{secrets.token_hex(16)}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._address)
        self._listener.listen()
        self._serials = itertools.count()
        self._expected: dict[int, _Connection] = {}
        """Lines of workers that are not up yet."""
        self._wake_receiver, self._wake_sender = Pipe(duplex=False)

    def start(self, number: int) -> _Connection:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        serial, line = next(self._serials), _Connection(number, self._actor(here))
        self._expected[serial] = line
        line.serving = line.actor.serve.remote(self._address, serial)
        line.serving.future().add_done_callback(lambda _: self._has_ended(serial, line))
        return line

    def ask(self, worker: _Connection, method: str, *arguments: Any) -> _Connection:
        if worker.socket is None:
            worker.unsent = (method, *arguments)
        else:
            # Whoever hung up is found by who waits for the answer.
            with suppress(OSError):
                worker.socket.send((method, *arguments))
        return worker

    def wait(self, asked: Collection[_Connection], timeout: float) -> list[_Connection]:
        end = time.monotonic() + timeout
        while True:
            ended = [line for line in asked if line.ended]
            sockets = {line.socket: line for line in asked if line.socket is not None}
            left = 0.0 if ended else max(0.0, end - time.monotonic())
            heard = wait_for_any([*sockets, self._listener, self._wake_receiver], left)
            if self._wake_receiver in heard:
                self._wake_receiver.recv_bytes()
            if self._listener in heard:
                self._accept_workers()
            answered = [sockets[one] for one in heard if one in sockets]
            if answered or ended or left == 0.0:
                return [*answered, *(line for line in ended if line not in answered)]

    def answer(self, asked: _Connection) -> Any:
        given: Any = None
        try:
            # A process that the worker left behind may hold its end of the line open.
            if asked.socket is None or not (asked.socket.poll() or not asked.ended):
                raise EOFError
            given = asked.socket.recv()
        except (EOFError, OSError):
            self._raise_worker_died(asked)
        if isinstance(given, Failure):
            raise WorkerFailed(given.reason)
        return given

    def store(self, packet: Packet) -> Packet:
        return packet

    def close(self) -> None:
        for end in (self._listener, self._wake_receiver, self._wake_sender):
            end.close()

    def _accept_workers(self) -> None:
        """Take up the line to a worker that has come up."""
        with suppress(EOFError, OSError):
            caller, _ = self._listener.accept()
            with caller:
                # Any user of the machine can find the name.
                if peer_user(caller) != os.getuid():
                    return
                connection = Connection(caller.detach())
            line = self._expected.pop(connection.recv(), None)
            if line is not None:
                line.socket = connection
                if line.unsent is not None:
                    connection.send(line.unsent)
                    line.unsent = None

    def _has_ended(self, serial: int, line: _Connection) -> None:
        """Told by a thread of Ray's."""
        line.ended = True
        self._expected.pop(serial, None)
        with suppress(OSError):
            self._wake_sender.send_bytes(b"")

    def _raise_worker_died(self, dead: _Connection) -> None:
        """Raise WorkerDied with what Ray knows of it."""
        try:
            ray.get(dead.serving, timeout=_TELLING_SECONDS)
        except GetTimeoutError:
            pass
        except RayError as error:
            raise WorkerDied(one_line(error)) from error
        raise WorkerDied("its line broke")


def is_local(workers: int) -> bool:
    """Whether this many workers can be on this machine, at the ends of lines."""
    if sys.platform != "linux" or uses_ray_client():
        return False
    here = ray.get_runtime_context().get_node_id()
    (room,) = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["NodeID"] == here]
    return bool(room >= workers)
