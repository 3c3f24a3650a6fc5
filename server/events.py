"""What happens in a run, as it is told to those who watch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerEvent:
    """What a worker takes up or, once `seconds` are known, has done."""

    worker: int
    """Its number, counted from 0; one that takes a dead one's place has the dead one's."""
    kind: str
    """The message's type: train, evaluate, query.…"""
    clients: int
    seconds: float | None = None
