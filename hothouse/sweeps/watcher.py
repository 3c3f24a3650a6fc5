"""Who is told how a sweep goes; what every display of it needs to know."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.run_files import Metrics
from hothouse.sweeps.execute import RunOutcome
from hothouse.sweeps.goal import Goal

_TAIL = 8192
"""Bytes at the end of a metrics.jsonl that hold its last line."""


@dataclass
class ActiveRun:
    """A run that is under way."""

    folder: Path
    rounds: int
    since: float
    first: int
    """The round at which it was taken up."""

    def latest(self) -> Metrics:
        """The last round it has recorded; empty before the first."""
        return last_line(self.folder / "metrics.jsonl")


@dataclass
class Watcher:
    """Told of a sweep's steps; it listens to what it overrides, and keeps count."""

    folder: Path | None = None
    """The sweep's folder, once it has begun."""
    planned: int = 0
    """Runs in all."""
    rounds: int = 0
    """Rounds of all runs together."""
    goal: Goal | None = None
    ended: dict[str, RunOutcome] = field(default_factory=dict)
    running: dict[str, ActiveRun] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)
    _rounds_before: int = 0
    _rounds_here: int = 0

    def started(self, folder: Path, planned: int, rounds: int, goal: Goal | None) -> None:
        """A sweep of this many runs with this many rounds in all begins, or continues."""
        self.folder, self.planned, self.rounds, self.goal = folder, planned, rounds, goal
        self._begun = time.monotonic()

    def run_started(self, name: str, folder: Path, rounds: int) -> None:
        """A run begins, or continues."""
        first = int(last_line(folder / "metrics.jsonl").get("round", 0))
        self._rounds_before += first
        self.running[name] = ActiveRun(folder, rounds, time.monotonic(), first)

    def run_ended(self, name: str, outcome: RunOutcome, metrics: Metrics) -> None:
        """A run is over, `metrics` its last round; one that had finished before was not started again."""
        under = self.running.pop(name, None)
        if under is None:
            self._rounds_before += self.rounds // max(1, self.planned)
        else:
            self._rounds_here += under.rounds - under.first
        self.ended[name] = outcome

    def tick(self) -> None:
        """Some time has passed."""

    def stop(self) -> None:
        """The sweep is over, or broken off."""

    def count(self, status: str) -> int:
        """How many runs ended so."""
        return sum(outcome.status == status for outcome in self.ended.values())

    def rounds_done(self) -> int:
        """Rounds that are over, those that were before this start too."""
        return self._rounds_before + self._done_here()

    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace so far; None before there is one."""
        here = self._done_here()
        if here <= 0:
            return None
        return (time.monotonic() - self._begun) / here * max(0, self.rounds - self.rounds_done())

    def _done_here(self) -> int:
        under_way = sum(max(0, int(run.latest().get("round", 0)) - run.first) for run in list(self.running.values()))
        return self._rounds_here + under_way


def last_line(path: Path) -> dict[str, Any]:
    """The last whole line of a file of JSON objects; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            return dict(json.loads(line))
        except ValueError:
            continue
    return {}
