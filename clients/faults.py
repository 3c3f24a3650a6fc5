"""Faults on purpose: what a host's node config asks some clients to do, so that the rest can be tried against it.

`faults` in the node config is a JSON list such as `[{"client": 3, "round": 2, "what": "nan"}]`; without
`client` it means every client, without `round` every round.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Context
from torch import Tensor

from common.data.prepared import Indices
from common.messages import TrainReply


@dataclass(frozen=True)
class Fault:
    """What one client does in one round."""

    what: str
    client: int | None = None
    round: int | None = None
    seconds: float = 3600.0
    bytes: int = 1 << 40
    once: str = ""
    """A file that marks that it was done: the fault happens while it is not there."""

    def due(self, round_number: int, client: int) -> bool:
        """Whether it is this client's turn."""
        if self.once and Path(self.once).exists():
            return False
        return self.client in (None, client) and self.round in (None, round_number)


class Faults:
    """The faults of a host's clients."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._faults = faults

    @classmethod
    def of(cls, context: Context) -> Faults:
        """The faults that the node config names."""
        return cls(tuple(Fault(**fault) for fault in json.loads(str(context.node_config.get("faults", "[]")))))

    def before(self, round_number: int, clients: Indices) -> None:
        """What happens instead of training: an error, a hang, the end of the process, hunger for memory."""
        for client in clients.tolist():
            for fault in self._due(round_number, client, _BEFORE):
                _BEFORE[fault.what](fault)

    def after(self, round_number: int, clients: Indices, flat: Tensor) -> None:
        """What happens to the weights that training gave, (clients, parameters), in place."""
        for row, client in enumerate(clients.tolist()):
            for fault in self._due(round_number, client, _AFTER):
                _AFTER[fault.what](flat[row])

    def reply(self, round_number: int, reply: TrainReply) -> TrainReply:
        """What happens to a message's reply when one of its clients is at fault."""
        for client in reply.blocks.clients.tolist():
            for fault in self._due(round_number, client, _REPLY):
                _REPLY[fault.what](reply)
        return reply

    def _due(self, round_number: int, client: int, known: Mapping[str, Callable[..., object]]) -> list[Fault]:
        due = [fault for fault in self._faults if fault.what in known and fault.due(round_number, client)]
        for fault in due:
            if fault.once:
                Path(fault.once).touch()
        return due


def _raise(fault: Fault) -> None:
    raise RuntimeError("a fault on purpose")


def _kill(fault: Fault) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(fault: Fault) -> None:
    time.sleep(fault.seconds)


def _devour(fault: Fault) -> None:
    held: list[np.ndarray] = []
    for _ in range(0, fault.bytes, 1 << 24):
        held.append(np.ones(1 << 21))
        time.sleep(0.001)


_BEFORE: dict[str, Callable[[Fault], None]] = {"raise": _raise, "kill": _kill, "hang": _hang, "memory": _devour}

_AFTER: dict[str, Callable[[Tensor], Tensor]] = {
    "nan": lambda weights: weights[:1].fill_(float("nan")),
    "inf": lambda weights: weights[:1].fill_(float("inf")),
}


def _wrong_shape(reply: TrainReply) -> None:
    reply.sums["parameters"] = {name: array[..., :-1] for name, array in reply.sums["parameters"].items()}


_REPLY: dict[str, Callable[[TrainReply], None]] = {"shape": _wrong_shape}
