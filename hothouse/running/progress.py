"""How a run looks while it runs: a live display on a terminal, plain lines elsewhere, JSON for scripts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from common.data.data_spec import describe_task
from common.extend.events import Event, Notice, Observer, RoundStarted, RunOpened, RunStarted, WorkerEvent
from common.metrics import primaries
from common.run_files import Metrics
from common.wording import first_few
from hothouse.results.records import FAIRNESS
from hothouse.results.run_folder import RunFolder
from hothouse.results.table import result_rows
from server.record.journal import as_json

if TYPE_CHECKING:
    from common.models.predictor import Predictor

_ORDINARY = ("checkpoint", "failed", "resumed")
"""Events that are no news, or told otherwise."""
_MOST_LIGHTS = 32
"""Workers that are shown one by one."""
_STYLES = {"train": "green", "evaluate": "blue"}
_DOING = {"train": "training", "evaluate": "measuring"}


class LiveProgress(Observer):
    """On a terminal a bar, the round's numbers and what each worker does; a line per round where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]round"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._workers = WorkerDisplay()
        self._live = Live(Group(self._bar, self._workers), console=console, transient=True)
        self._rounds = 0
        self._first: int | None = None
        self._since = 0.0
        self._trained = 0

    def on_event(self, event: Event) -> None:
        """Show what is about to run, what the workers do, and what went wrong and was dealt with."""
        match event:
            case RunStarted():
                self._begin(event)
            case RoundStarted():
                self._workers.expect(len(event.clients))
            case WorkerEvent():
                self._workers.worked(event)
            case Notice():
                self.notice(event.name, event.round, event.details)

    def _begin(self, run: RunStarted) -> None:
        """Show what is about to run, and on what."""
        self._rounds, spec = run.rounds, run.data_spec
        sizes = run.training_sizes
        learned = describe_task(spec.task, spec.labels, spec.outputs, spec.tokens is not None)
        self._console.print(
            f"{len(sizes):,} clients with {int(sizes.sum()):,} examples to train on, {learned}, "
            f"a model of {run.parameters:,} parameters, {run.rounds} rounds",
            soft_wrap=True,
        )
        self._task = self._bar.add_task("rounds", total=self._rounds, numbers="", left="")
        if self._console.is_terminal:
            self._live.start()

    def on_round_end(self, metrics: Metrics) -> None:
        """Show the round's numbers."""
        number = metrics["round"]
        if self._first is None:
            # Round 0, or the first after a resume: what came before says nothing of the speed.
            self._first, self._since = number, time.monotonic()
        else:
            self._trained += metrics["clients"]
        text = "  ".join([*numbers(metrics), *self._speed()])
        left = self._time_left(number)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=number, numbers=text, left=left)
        else:
            self._console.print(f"round {number}/{self._rounds}  {text}  {left}".rstrip(), soft_wrap=True)

    def notice(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Say what went wrong and was dealt with, and what libraries warn of."""
        if event in _ORDINARY:
            return
        what = Text(f"round {round_number}: {event}", style="yellow")
        if event == "warning":
            what = Text(f"{details['source']} warns:", style="yellow")
        elif event == "hint":
            what = Text("hint:", style="bold")
        elif event == "live":
            what = Text("The report, live:", style="bold")
        if "clients" in details:
            what.append(f" clients {first_few(details['clients'])}")
        first = (str(details.get("reason", "")).splitlines() or [""])[0]
        self._console.print(what + Text(f" {first}", style="default"), soft_wrap=True)

    def on_end(self, model: Predictor) -> None:
        """Take the display away."""
        self.stop()

    def stop(self) -> None:
        """Take the display away, also where the run failed."""
        if self._live.is_started:
            self._live.stop()

    def _speed(self) -> list[str]:
        elapsed = time.monotonic() - self._since
        return [f"{self._trained / elapsed:,.0f} clients/s"] if self._trained else []

    def _time_left(self, number: int) -> str:
        if self._first is None or not self._first < number < self._rounds:
            return ""
        seconds = (time.monotonic() - self._since) / (number - self._first) * (self._rounds - number)
        minutes, seconds = divmod(round(seconds), 60)
        return f"{minutes}:{seconds:02d} left"


class WorkerDisplay:
    """A line on what the cohort and the workers are at: looked at by the display whenever it draws itself anew."""

    def __init__(self) -> None:
        self._cohort = self._done = 0
        self._doing: dict[int, str] = {}

    def expect(self, cohort: int) -> None:
        """A round begins; so many clients are to be trained."""
        self._cohort, self._done = cohort, 0
        self._doing = dict.fromkeys(self._doing, "")

    def worked(self, work: WorkerEvent) -> None:
        """A worker takes something up, or is done with it."""
        self._doing[work.worker] = work.kind if work.seconds is None else ""
        if work.seconds is not None and work.kind == "train":
            self._done += work.clients

    def __rich__(self) -> Text:
        doing = sorted(self._doing.items())
        if not doing:
            return Text("")
        line = Text(f"{self._done} of {self._cohort} clients trained   ", style="dim")
        if len(doing) > _MOST_LIGHTS:
            busy = sum(1 for _, kind in doing if kind)
            return line.append(f"{busy} of {len(doing)} workers busy")
        line.append("workers ")
        for _, kind in doing:
            line.append("●" if kind else "○", style=_STYLES.get(kind, "cyan") if kind else "dim")
        kinds = {_DOING.get(kind, "asking"): _STYLES.get(kind, "cyan") for _, kind in doing if kind}
        for words, style in kinds.items():
            line.append(f" {words}", style=style)
        return line


class RunFolderObserver(Observer):
    """Remembers where the run's folder is, for what is said when the run breaks off."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def on_event(self, event: Event) -> None:
        """The folder is there."""
        if isinstance(event, RunOpened):
            self.folder = event.folder


class JsonProgress(Observer):
    """A JSON object per line on standard output, for scripts."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def on_event(self, event: Event) -> None:
        """Say where the run's folder is and what is about to run; give retries, exclusions, warnings and the like."""
        match event:
            case RunOpened():
                self._write(event="opened", folder=str(event.folder))
            case RunStarted(rounds=rounds, parameters=parameters):
                self._write(event="started", rounds=rounds, clients=len(event.clients), parameters=parameters)
            case Notice():
                self._write(event=event.name, round=event.round, **event.details)

    def on_round_end(self, metrics: Metrics) -> None:
        """Give the round's numbers."""
        self._write(event="round", **metrics)

    def _write(self, **entry: Any) -> None:
        self._stream.write(as_json(entry) + "\n")
        self._stream.flush()


def result_table(run: RunFolder) -> Table:
    """A short table of what came out: the last round, and the best one where it was judged."""
    heads, rows = result_rows(run.summary)
    table = Table(title=f"{run.summary['name']}: {run.summary['rounds']} rounds in {run.summary['seconds']:.1f} s")
    for place, head in enumerate(heads):
        table.add_column(head.replace(" (", "\n("), justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def privacy_lines(run: RunFolder) -> list[str]:
    """What a run with privacy promises of any one client, a line for each neighbouring relation."""
    return [
        f"Privacy: ε = {one['epsilon']:.4g} at δ = {one['delta']:g} for {one['meaning']} "
        f"({one['accountant']} accountant)"
        for one in run.summary.get("privacy", [])
    ]


def fairness_table(run: RunFolder) -> Table | None:
    """How evenly the clients are served in the last round, by the global model and by their own; None if unknown."""
    final = run.summary["final"]
    served = {"holdout": "global model", "personal": "own models"}
    names = [metric.name for metric in primaries() if f"holdout_{metric.name}_mean" in final]
    shown = [split for split in served if names and f"{split}_{names[0]}_mean" in final]
    if not shown:
        return None
    table = Table(title=f"{names[0]} of the clients, each on its own held-out examples")
    table.add_column("")
    for split in shown:
        table.add_column(served[split], justify="right")
    for name, meaning in FAIRNESS.items():
        table.add_row(meaning, *(f"{final[f'{split}_{names[0]}_{name}']:.4f}" for split in shown))
    return table


def numbers(metrics: Metrics) -> list[str]:
    """The numbers worth a glance: the training loss and the best-founded metric there is."""
    shown = []
    if "train_loss" in metrics:
        shown.append(f"loss {metrics['train_loss']:.4f}")
    for split in ("test", "validation", "holdout"):
        names = [metric.name for metric in primaries() if f"{split}_{metric.name}" in metrics]
        if names:
            shown += [f"{split} {name} {metrics[f'{split}_{name}']:.4f}" for name in names]
            break
    return shown
