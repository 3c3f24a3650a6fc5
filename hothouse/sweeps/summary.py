"""What came out of a sweep: each combination of values with its runs over seeds, the mean and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from common.metrics import primaries
from hothouse.comparison.statistics import Estimate, estimate
from hothouse.results.records import SPLITS, display_name
from hothouse.sweeps.names import short_keys, value_name
from hothouse.sweeps.result import Sweep

_LINES = 20
"""Combinations in the terminal's table."""


@dataclass(frozen=True)
class SummaryLine:
    """A combination of values."""

    values: dict[str, Any]
    """By key, without the seed."""
    statuses: list[str]
    """How its runs ended."""
    metrics: dict[str, Estimate]
    """Over the runs that are complete."""
    whole: bool
    """Whether every seed has a complete run with a number to judge by."""


def summary_metrics(sweep: Sweep) -> list[str]:
    """The metrics worth a column: what the runs are judged by, then the task's own on the other examples."""
    columns = [f"{split}_{metric.name}" for split in SPLITS for metric in primaries()]
    names = [name for name in columns if name in sweep.table]
    first = [sweep.goal.metric] if sweep.goal and sweep.goal.metric in sweep.table else []
    return [*first, *(name for name in names if name not in first)] or ["train_loss"]


def lines(sweep: Sweep) -> list[SummaryLine]:
    """The combinations in their order; where there is something to judge by, the best first.

    Those of which not every seed has finished come after all others: who is left of them may be the lucky ones.
    """
    keys = [key for key in sweep.keys if key != "seed"]
    groups: dict[str, list[dict[Any, Any]]] = {}
    for row in sweep.table.to_dict("records"):
        groups.setdefault(repr([row[key] for key in keys]), []).append(
            {str(name): value for name, value in row.items()}
        )
    metrics, found = summary_metrics(sweep), []
    seeds = max((len(group) for group in groups.values()), default=0)
    judged = sweep.goal.metric if sweep.goal else None
    for group in groups.values():
        finished = [row for row in group if row["status"] == "complete"]
        values = {name: [row[name] for row in finished if _finite(row.get(name))] for name in metrics}
        found.append(
            SummaryLine(
                values={key: group[0][key] for key in keys},
                statuses=[row["status"] for row in group],
                metrics={name: estimate(found) for name, found in values.items() if found},
                whole=len(finished if judged is None else values[judged]) == seeds,
            )
        )
    goal = sweep.goal
    if goal is None:
        return found
    worst = -math.inf if goal.maximize else math.inf

    def merit(line: SummaryLine) -> tuple[bool, float]:
        value = line.metrics[goal.metric].mean if goal.metric in line.metrics else worst
        return not line.whole, -value if goal.maximize else value

    return sorted(found, key=merit)


def mean_with_interval(line: SummaryLine, metric: str) -> str:
    """A metric's mean over the seeds and its interval; empty where no run is complete."""
    return line.metrics[metric].text() if metric in line.metrics else ""


def best_sentence(sweep: Sweep) -> str:
    """A sentence on what did best on the examples that are kept for judging; empty where there are none."""
    if sweep.best is None or sweep.goal is None:
        return ""
    judged = display_name(sweep.goal.metric)
    keys = [key for key in sweep.keys if key != "seed"]
    if not keys or len(keys) == len(sweep.keys):
        return f"Best by {judged}: {sweep.best.folder}"
    first, names = lines(sweep)[0], short_keys(keys)
    best = ", ".join(f"{names[key]}={_short(value)}" for key, value in first.values.items())
    if first.whole:
        return f"Best by mean {judged}: {best}"
    return f"Best by mean {judged}: {best}, of which only {completed_text(first.statuses)} runs finished"


def results_table(sweep: Sweep) -> Table:
    """What came out, for the terminal."""
    found, metrics = lines(sweep), summary_metrics(sweep)
    several = max((len(line.statuses) for line in found), default=1) > 1
    names = short_keys(key for key in sweep.keys if key != "seed")
    over = ", mean and 95% interval over seeds" if several else ""
    table = Table(title=f"{sweep.summary['name']}: {len(sweep)} of {sweep.summary['planned']} runs{over}")
    for key in names:
        table.add_column(names[key], overflow="fold")
    table.add_column("runs" if several else "status")
    for name in metrics:
        table.add_column(display_name(name), justify="right", overflow="fold")
    for line in found[:_LINES]:
        cells = [Text(_short(value)) for value in line.values.values()]
        table.add_row(
            *cells,
            completed_text(line.statuses) if several else line.statuses[0],
            *(mean_with_interval(line, name) for name in metrics),
        )
    if len(found) > _LINES:
        table.add_row(*[""] * len(names), f"and {len(found) - _LINES} more", *[""] * len(metrics))
    return table


def completed_text(statuses: list[str]) -> str:
    """How many of the runs over seeds are complete, and how the others ended."""
    complete = statuses.count("complete")
    if complete == len(statuses):
        return str(complete)
    other = [f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses) if status != "complete"]
    return f"{complete} of {len(statuses)}, {', '.join(other)}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value_name(value)


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)
