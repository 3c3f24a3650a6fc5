"""How a run shows itself in a Jupyter notebook, by rich's support for it: no widgets are needed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common.extend.events import Event, Observer, RunStarted
from common.metrics import primaries
from common.run_files import Metrics
from hothouse.report.parts import part
from hothouse.results.table import result_rows
from hothouse.running.progress import numbers

if TYPE_CHECKING:
    from common.models.predictor import Predictor
    from hothouse.results.run_folder import RunFolder

_SECONDS = 0.3
"""Between two pictures, so that a fast run does not flood the page."""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook; nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class Picture:
    """A place under a notebook's cell that shows the newest state of something."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._last = 0.0

    def show(self, content: Any, now: bool = False) -> None:
        """Show the content: at once, or unless something was shown a moment ago."""
        if not now and time.monotonic() - self._last < _SECONDS:
            return
        from IPython.display import display

        self._last = time.monotonic()
        if self._handle is None:
            self._handle = display(content, display_id=True)
        else:
            self._handle.update(content)


class NotebookProgress(Observer):
    """A bar under the cell, with the newest round's numbers."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("[bold]round"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(force_jupyter=True),
        )
        self._picture = Picture()

    def on_event(self, event: Event) -> None:
        """Show an empty bar when the run starts."""
        if isinstance(event, RunStarted):
            self._rounds = event.rounds
            self._task = self._bar.add_task("rounds", total=event.rounds, numbers="")
            self._picture.show(self._bar, now=True)

    def on_round_end(self, metrics: Metrics) -> None:
        """Show the round's numbers."""
        self._bar.update(self._task, completed=metrics["round"], numbers="  ".join(numbers(metrics)))
        self._picture.show(self._bar, now=metrics["round"] == self._rounds)

    def on_end(self, model: Predictor) -> None:
        """Stop the clock."""
        self._bar.stop_task(self._task)
        self._picture.show(self._bar, now=True)


def run_html(run: RunFolder) -> str:
    """A run in a few lines of HTML: how it ended, its last and its best round, its metric round by round."""
    summary = run.summary
    told = f"{summary['status']}, {summary['rounds']} rounds, seed {summary['seed']}"
    if summary["status"] != "complete":
        told += f" ({summary.get('reason', '')})"
    if stopped := summary.get("stopped"):
        told += f" (stopped by {stopped})"
    heads, rows = result_rows(summary)
    return part("run_in_notebook", summary["name"], told, run.folder, heads, rows, _curve(run))


def _curve(run: RunFolder) -> Markup | None:
    """The best-founded metric of the run by round, drawn as SVG."""
    columns = [f"{split}_{metric.name}" for split in ("test", "validation", "holdout") for metric in primaries()]
    name = next((column for column in columns if column in run.metrics), "train_loss")
    if name not in run.metrics:
        return None
    measured = run.metrics[["round", name]].dropna()
    if len(measured) < 2:
        return None
    rounds, values = measured["round"].to_numpy(float), measured[name].to_numpy(float)
    low, high = float(values.min()), float(values.max())
    x = 10 + 280 * (rounds - rounds[0]) / (rounds[-1] - rounds[0])
    y = 110 - 100 * (values - low) / ((high - low) or 1)
    points = " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(x, y, strict=True))
    words = f"{name.replace('_', ' ')}, from {values[0]:.4g} to {values[-1]:.4g} in {int(rounds[-1])} rounds"
    return part("curve", points, words)
