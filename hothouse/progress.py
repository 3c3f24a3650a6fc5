"""How a run looks while it goes on: a live line on a terminal, plain lines elsewhere, JSON for scripts."""

from __future__ import annotations

import json
import time
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from common.metrics import PRIMARY
from common.models.predictor import Predictor
from hothouse.result import Run
from server.observers import Metrics

_ORDINARY = ("checkpoint", "resumed")
"""Events that are no news."""


class LiveProgress:
    """A bar on a terminal, with the round's loss, metric and speed; a line per round where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]round"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
        )
        self._rounds = 0
        self._first: int | None = None
        self._since = 0.0
        self._trained = 0

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        """Show what is about to run."""
        self._rounds = rounds
        self._console.print(f"{clients:,} clients, a model of {parameters:,} parameters, {rounds} rounds")
        self._task = self._bar.add_task("rounds", total=rounds, numbers="", left="")
        if self._console.is_terminal:
            self._bar.start()

    def round_ended(self, metrics: Metrics) -> None:
        """Show the round's numbers."""
        number = metrics["round"]
        if self._first is None:
            # Round 0, or the first after a resume: what came before says nothing of the speed.
            self._first, self._since = number, time.monotonic()
        else:
            self._trained += metrics["clients"]
        text = "  ".join([*_numbers(metrics), *self._speed()])
        left = self._left(number)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=number, numbers=text, left=left)
        else:
            self._console.print(f"round {number}/{self._rounds}  {text}  {left}".rstrip(), soft_wrap=True)

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Say what went wrong and was dealt with."""
        if event in _ORDINARY:
            return
        reason = str(details.get("reason", "")).splitlines()[:1]
        who = f" clients {_some(details['clients'])}" if "clients" in details else ""
        self._console.print(f"[yellow]round {round_number}: {event}{who}[/yellow] {' '.join(reason)}", soft_wrap=True)

    def finished(self, model: Predictor) -> None:
        """Take the bar away."""
        self.stop()

    def stop(self) -> None:
        """Take the bar away, also where the run failed."""
        if self._bar.live.is_started:
            self._bar.stop()

    def _speed(self) -> list[str]:
        elapsed = time.monotonic() - self._since
        return [f"{self._trained / elapsed:,.0f} clients/s"] if self._trained else []

    def _left(self, number: int) -> str:
        if self._first is None or not self._first < number < self._rounds:
            return ""
        seconds = (time.monotonic() - self._since) / (number - self._first) * (self._rounds - number)
        minutes, seconds = divmod(round(seconds), 60)
        return f"{minutes}:{seconds:02d} left"


class JsonProgress:
    """A JSON object per line on standard output, for scripts."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        """Say what is about to run."""
        self._write(event="started", rounds=rounds, clients=clients, parameters=parameters)

    def round_ended(self, metrics: Metrics) -> None:
        """Give the round's numbers."""
        self._write(event="round", **metrics)

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Give a retry, an exclusion and the like."""
        self._write(event=event, round=round_number, **details)

    def finished(self, model: Predictor) -> None:
        """The summary follows from the command itself."""

    def _write(self, **entry: Any) -> None:
        self._stream.write(json.dumps(entry) + "\n")
        self._stream.flush()


def result_table(run: Run) -> Table:
    """A short table of what came out: the last round, and the best one where it was judged."""
    final, best = run.summary["final"], run.summary["best"]
    table = Table(title=f"{run.summary['name']}: {run.summary['rounds']} rounds in {run.summary['seconds']:.1f} s")
    table.add_column("")
    table.add_column("last round", justify="right")
    if best:
        table.add_column(f"best by {best['by'].replace('_', ' ')}\n(round {best['round']})", justify="right")
    hidden = ("round", "seconds", "clients", "bytes_down", "bytes_up")
    for name, value in final.items():
        if name not in hidden and not name.endswith("_seconds") and value is not None:
            row = [name.replace("_", " "), f"{value:.4f}"]
            table.add_row(*row, *([f"{best[name]:.4f}" if name in best else ""] if best else []))
    return table


def _numbers(metrics: Metrics) -> list[str]:
    """The numbers worth a glance: the training loss and the best-founded metric there is."""
    shown = []
    if "train_loss" in metrics:
        shown.append(f"loss {metrics['train_loss']:.4f}")
    for split in ("test", "validation", "holdout"):
        names = [name for name, _ in PRIMARY.values() if f"{split}_{name}" in metrics]
        if names:
            shown += [f"{split} {name} {metrics[f'{split}_{name}']:.4f}" for name in names]
            break
    return shown


def _some(clients: list[int]) -> str:
    shown = ", ".join(map(str, clients[:5]))
    return f"{shown} and {len(clients) - 5} more" if len(clients) > 5 else shown
