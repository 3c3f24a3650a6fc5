"""How a sweep looks while it runs: a live table on a terminal, a line per run elsewhere, JSON for scripts."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from common.run_files import Metrics
from hothouse.results.records import display_name
from hothouse.sweeps.execute import RunOutcome
from hothouse.sweeps.goal import Goal
from hothouse.sweeps.watcher import Watcher
from server.record.journal import as_json

_RECENT = 8
"""Runs that are over which the live table still shows."""
_COLOURS = {"complete": "green", "pruned": "yellow", "failed": "red", "interrupted": "yellow"}


class LiveSweep(Watcher):
    """The runs under way and the last few that ended, with the time left; a line per run where there is no terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._recent: deque[tuple[str, RunOutcome, Metrics]] = deque(maxlen=_RECENT)
        self._live: Live | None = None
        self._begun_here = False

    def started(self, folder: Path, planned: int, rounds: int, goal: Goal | None) -> None:
        """Say what is about to run."""
        super().started(folder, planned, rounds, goal)
        judged = f", judged by {display_name(goal.metric)}" if goal else ""
        self._console.print(f"{planned} runs, {rounds:,} rounds in total{judged}")
        if self._console.is_terminal:
            self._live = Live(get_renderable=self.table, console=self._console, refresh_per_second=2, transient=True)
            self._live.start()

    def run_started(self, name: str, folder: Path, rounds: int) -> None:
        """Show it; with the first one, say how many were over before."""
        if not self._begun_here and self.ended:
            self._console.print(f"{len(self.ended)} runs had finished before")
        self._begun_here = True
        super().run_started(name, folder, rounds)

    def run_ended(self, name: str, outcome: RunOutcome, metrics: Metrics) -> None:
        """Show how it ended."""
        news = name in self.running or outcome.status == "failed"
        super().run_ended(name, outcome, metrics)
        self._recent.append((name, outcome, metrics))
        if news and (self._live is None or outcome.status == "failed"):
            told = [f"[{len(self.ended)}/{self.planned}] {name}: {outcome.status}", *self._numbers(metrics)]
            told.append(outcome.reason)
            left = self.seconds_left()
            if left is not None and len(self.ended) < self.planned:
                told.append(f"{_clock(left)} left")
            self._console.print("  ".join(filter(None, told)), soft_wrap=True, markup=False)

    def stop(self) -> None:
        """Take the table away."""
        if self._live is not None:
            self._live.stop()

    def table(self) -> Group:
        """How things stand."""
        counts = [f"{len(self.ended)} of {self.planned} runs"]
        counts += [f"{self.count(status)} {status}" for status in ("failed", "pruned") if self.count(status)]
        left = self.seconds_left()
        counts += [f"{_clock(left)} left"] if left is not None else []
        bar = ProgressBar(total=max(1, self.rounds), completed=min(self.rounds, self.rounds_done()), width=40)
        rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in ("run", "", "round"):
            rows.add_column(head, no_wrap=head != "run", overflow="fold")
        rows.add_column("train loss", justify="right")
        if self.goal:
            rows.add_column(display_name(self.goal.metric), justify="right")
        rows.add_column("time", justify="right")
        for name, outcome, metrics in list(self._recent):
            status = Text(outcome.status, style=_COLOURS[outcome.status])
            rows.add_row(Text(name), status, str(metrics.get("round", "")), *self._cells(metrics), "")
        for name, run in list(self.running.items()):
            metrics = run.latest()
            at = f"{metrics.get('round', 0)}/{run.rounds}"
            rows.add_row(Text(name), "", at, *self._cells(metrics), _clock(time.monotonic() - run.since))
        return Group(Text("  ".join(counts), style="bold"), bar, rows)

    def _cells(self, metrics: Metrics) -> list[str]:
        names = ["train_loss", *([self.goal.metric] if self.goal else [])]
        return [f"{metrics[name]:.4f}" if metrics.get(name) is not None else "" for name in names]

    def _numbers(self, metrics: Metrics) -> list[str]:
        tests = [name for name in ("test_accuracy", "test_rmse") if metrics.get(name) is not None]
        names = [*([self.goal.metric] if self.goal else []), *tests]
        return [f"{display_name(name)} {metrics[name]:.4f}" for name in names if metrics.get(name) is not None]


class JsonSweep(Watcher):
    """A JSON object per line on standard output, for scripts."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def started(self, folder: Path, planned: int, rounds: int, goal: Goal | None) -> None:
        """Say what is about to run."""
        super().started(folder, planned, rounds, goal)
        metric = goal.metric if goal else None
        self._write(event="started", folder=str(folder), planned=planned, rounds=rounds, metric=metric)

    def run_started(self, name: str, folder: Path, rounds: int) -> None:
        """Say which run begins."""
        super().run_started(name, folder, rounds)
        self._write(event="run started", run=name, folder=str(folder))

    def run_ended(self, name: str, outcome: RunOutcome, metrics: Metrics) -> None:
        """Say how a run ended."""
        super().run_ended(name, outcome, metrics)
        left = self.seconds_left()
        self._write(
            event="run ended",
            run=name,
            status=outcome.status,
            reason=outcome.reason,
            final=metrics,
            seconds_left=None if left is None else round(left, 1),
        )

    def _write(self, **entry: Any) -> None:
        self._stream.write(as_json(entry) + "\n")
        self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
