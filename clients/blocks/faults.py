"""Faults on purpose: what a host's node config asks some clients to do, so that the rest can be tried against it.

`faults` in the node config is a JSON list such as `[{"client": 3, "round": 2, "what": "nan"}]`; without
`client` it means every client, without `round` every round.
"""

from __future__ import annotations

import json
import os
import signal
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
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
    scale: float = 1.0
    """How many times its change a client sends the opposite of."""
    only: str = ""
    """What a client lies about: `parameters`, `buffers`, or both where it is empty."""
    most: int = 1
    """How many clients a stack may have before a card's memory is said to be full."""
    once: str = ""
    """A file that marks that it was done, and in which process: the fault happens while it is not there."""

    def due(self, round_number: int, client: int) -> bool:
        """Whether it names this client and round."""
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
        """What happens instead of training or before it: an error, a warning, a hang, a dead process, hunger."""
        for client in clients.tolist() if self._faults else []:
            for fault in self._due(round_number, client, _BEFORE):
                if fault.what != "too wide" or len(clients) > fault.most:
                    _BEFORE[fault.what](fault)

    def after(
        self, round_number: int, clients: Indices, flat: Tensor, start: Callable[[], Tensor], parameters: int
    ) -> None:
        """What happens to the weights that training gave, (clients, numbers), in place.

        `start` gives those that it began with, likewise, or (1, numbers); the first `parameters` of the numbers are
        parameters, the others buffers.
        """
        parts = {"": slice(None), "parameters": slice(parameters), "buffers": slice(parameters, None)}
        for row, client in enumerate(clients.tolist() if self._faults else []):
            for fault in self._due(round_number, client, _AFTER):
                part = parts[fault.only]
                _AFTER[fault.what](fault, flat[row, part], start().expand_as(flat)[row, part])

    def reply(self, round_number: int, reply: TrainReply) -> TrainReply:
        """What happens to a message's reply when one of its clients is at fault."""
        for client in reply.blocks.clients.tolist() if self._faults else []:
            for fault in self._due(round_number, client, _REPLY):
                _REPLY[fault.what](reply)
        return reply

    def _due(self, round_number: int, client: int, known: Mapping[str, Callable[..., object]]) -> list[Fault]:
        due = [fault for fault in self._faults if fault.what in known and fault.due(round_number, client)]
        return [fault for fault in due if not fault.once or _first(fault.once)]


def _first(mark: str) -> bool:
    """Whether nobody made the mark before: of two workers that ask at once, one is the first."""
    try:
        with Path(mark).open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True


def _raise(fault: Fault) -> None:
    raise RuntimeError("a fault on purpose")


def _warn(fault: Fault) -> None:
    warnings.warn("a warning on purpose", stacklevel=2)


def _kill(fault: Fault) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(fault: Fault) -> None:
    time.sleep(fault.seconds)


def _fill_card(fault: Fault) -> None:
    raise torch.OutOfMemoryError("a full card on purpose")


def _devour(fault: Fault) -> None:
    held: list[np.ndarray] = []
    for _ in range(0, fault.bytes, 1 << 24):
        held.append(np.ones(1 << 21))
        time.sleep(0.001)


_BEFORE: dict[str, Callable[[Fault], None]] = {
    "raise": _raise,
    "warn": _warn,
    "kill": _kill,
    "hang": _hang,
    "memory": _devour,
    "too wide": _fill_card,
}

_AFTER: dict[str, Callable[[Fault, Tensor, Tensor], Tensor]] = {
    "nan": lambda fault, weights, start: weights[:1].fill_(float("nan")),
    "inf": lambda fault, weights, start: weights[:1].fill_(float("inf")),
    "flip": lambda fault, weights, start: weights.mul_(-fault.scale).add_(start, alpha=1 + fault.scale),
}


def _wrong_shape(reply: TrainReply) -> None:
    reply.sums["parameters"] = {name: array[..., :-1] for name, array in reply.sums["parameters"].items()}


_REPLY: dict[str, Callable[[TrainReply], None]] = {"shape": _wrong_shape}
