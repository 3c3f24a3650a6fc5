"""The actors of a RayGrid: what they are given, what they give back."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from flwr.app import Context, Message, RecordDict

from common.compat.flower import TaskIdentity
from common.messages import Content
from common.scenario.uses import remember
from server.grid.base import SERVER_NODE
from server.grid.client_app import answer, load_client_app
from server.grid.machine import Machine
from server.grid.peer import peer_user
from server.grid.shared_buffers import BufferedPacket, BufferPlace, copied, write
from server.grid.wire import Packet, from_packet, to_packet
from server.grid.worker_log import WarningLog


class Request(NamedTuple):
    """What an actor is given."""

    message: Message
    context: Context
    keys: list[str]
    """The names of the message's records that are sent beside it."""


class Response(NamedTuple):
    """What an actor gives back."""

    reply: Message
    seconds: float
    """How long it worked."""
    complaints: list[str]
    """What libraries warned of meanwhile, for the first time."""
    state: RecordDict | None = None
    """What the app left in its node's context; None where that is nothing."""


class Failure(NamedTuple):
    """Given back in a Response's place where a request cannot be read."""

    reason: str


class ClientWorker:
    """A Ray actor: answers messages with a ClientApp, one at a time, on one thread."""

    def __init__(
        self,
        client_app: str,
        run_id: int,
        machine: Machine | None,
        texts: Sequence[bytes] = (),
        hides_cards: bool = False,
    ) -> None:
        """With `hides_cards` the app finds no card: it would take a part of the first one's memory for nothing."""
        remember(texts)
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, SERVER_NODE, 1
        self._complaints = WarningLog()
        # PyTorch is not imported for an app that does without it; one that imports it later finds the variable.
        os.environ["OMP_NUM_THREADS"] = "1"
        if hides_cards:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._app = load_client_app(client_app)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        self._machine = machine
        if machine is not None:
            machine.check()

    def ready(self) -> None:
        """Answered once the actor is there to work."""

    def serve(self, address: str, serial: int) -> None:
        """Call the Unix socket at `address`, tell who is there, and answer what comes until the other side hangs up."""
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(address)
            # Once the grid is gone, any user of the machine can take the name.
            if peer_user(caller) != os.getuid():
                raise PermissionError(f"the socket {address[1:]} belongs to another user")
            line = Connection(caller.detach())
        with line, suppress(EOFError, OSError):
            line.send(serial)
            while True:
                method, *arguments = line.recv()
                line.send(self._tried(method, arguments))

    def _tried(self, method: str, arguments: list[Any]) -> Any:
        try:
            return getattr(self, method)(*arguments)
        except Exception as error:
            return Failure(f"{type(error).__name__}: {error}")

    def answer(
        self, place: BufferPlace | None, asked: Packet | BufferedPacket, *records: Packet | BufferedPacket
    ) -> Packet | BufferedPacket | None:
        """A Response to a Request, on the buffer at `place` if there is one; None where buffers cannot be had here.

        `records` are the message's shared records, to be put back into it.
        """
        try:
            packets = [copied(packet) if isinstance(packet, BufferedPacket) else packet for packet in (asked, *records)]
        except OSError:
            return None
        question: Request = from_packet(packets[0])
        message, context = question.message, question.context
        shared = {key: from_packet(record) for key, record in zip(question.keys, packets[1:], strict=True)}
        message.content = Content({**message.content, **shared})
        if self._machine is not None:
            context = self._machine.context(context)
        started = time.perf_counter()
        reply = answer(self._app, message, context)
        given = to_packet(Response(reply, time.perf_counter() - started, self._complaints.new(), context.state or None))
        try:
            return given if place is None else write(given, place)
        except OSError:
            return given
