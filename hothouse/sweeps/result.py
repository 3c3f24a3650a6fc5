"""A sweep, finished or not, read back from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from common.errors import InputError
from common.run_files import Metrics, read_lines, read_metrics, read_object
from common.scenario import Scenario
from hothouse.report.parts import part
from hothouse.results.run_folder import recorded_scenario
from hothouse.running.finished import Run
from hothouse.sweeps.goal import Goal

if TYPE_CHECKING:
    import pandas as pd

SCENARIO, RECORD, SUMMARY, RUNS = "sweep.yaml", "sweep.jsonl", "sweep.json", "runs"
_HIDDEN = ("round", "bytes_down", "bytes_up", "bytes_evaluation", "clients")


@dataclass(frozen=True)
class Sweep:
    """What a sweep left in its folder; each part is read when it is asked for."""

    folder: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """sweep.json: status, how many runs are planned, what they are judged by, which is the best."""
        return read_object(self.folder / SUMMARY)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario, with `matrix`, `seeds` or `search`."""
        return recorded_scenario(self.folder / SCENARIO)

    @cached_property
    def keys(self) -> list[str]:
        """The keys whose values differ between runs."""
        return list(self.summary["keys"])

    @cached_property
    def goal(self) -> Goal | None:
        """What the runs are judged by; None where no examples are kept for it."""
        goal = self.summary["goal"]
        return Goal(goal["metric"], goal["maximize"]) if goal else None

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """For each run that was begun its name, values, status and, where it is not complete, the reason."""
        latest = {entry["run"]: entry for entry in read_record(self.folder)}
        return list(latest.values())

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The runs by name, finished or not."""
        folders = {entry["run"]: self.folder / RUNS / entry["run"] for entry in self.records}
        return {name: Run(folder) for name, folder in folders.items() if summary_of(folder)}

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per run: its values by key, status, rounds, seconds, and the metrics of its last round."""
        import pandas as pd

        rows = []
        for entry in self.records:
            summary = summary_of(self.folder / RUNS / entry["run"])
            final = summary.get("final", {})
            rows.append(
                {
                    "run": entry["run"],
                    **{key: entry["values"].get(key) for key in self.keys},
                    "status": entry["status"],
                    "rounds": summary.get("rounds", 0),
                    "seconds": summary.get("seconds", 0.0),
                    **{name: value for name, value in final.items() if _is_metric(name)},
                    "reason": entry.get("reason", ""),
                }
            )
        reason = [row.pop("reason") for row in rows]
        return pd.DataFrame(rows).assign(reason=reason)

    @cached_property
    def best(self) -> Run | None:
        """The finished run that did best on the examples that are kept for judging; never on test examples."""
        goal, table = self.goal, self.table
        if goal is None or goal.metric not in table:
            return None
        finished = table[(table.status == "complete") & table[goal.metric].notna()]
        if finished.empty:
            return None
        first = finished.sort_values(goal.metric, ascending=not goal.maximize, kind="stable").iloc[0]
        return self.runs[str(first["run"])]

    @property
    def failed(self) -> dict[str, str]:
        """The runs that failed, and why."""
        return {entry["run"]: entry.get("reason", "") for entry in self.records if entry["status"] == "failed"}

    def __len__(self) -> int:
        return len(self.records)

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        told = f"{len(self)} of {self.summary['planned']} runs"
        if self.best is not None:
            told += f"; best by {self.summary['goal']['metric']}: {self.best.folder.name}"
        table = self.table.to_html(index=False, max_rows=60, float_format=lambda value: f"{value:.4g}")
        return part("sweep_in_notebook", self.summary["name"], told, Markup(table))


def read_record(folder: Path) -> list[dict[str, Any]]:
    """The lines of a sweep's record. Raises InputError for a run whose name leads out of the sweep's folder."""
    entries = read_lines(folder / RECORD)
    for place, entry in enumerate(entries, 1):
        name = entry.get("run")
        if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
            raise InputError(f"{folder / RECORD}:{place}: run: expected the name of a run, found {name!r}")
        if not isinstance(entry.get("values"), dict) or not isinstance(entry.get("status"), str):
            raise InputError(f"{folder / RECORD}:{place}: expected the keys run, values and status")
    return entries


def summary_of(folder: Path) -> dict[str, Any]:
    """The summary of the run in a folder; empty where there is none that can be read."""
    try:
        return read_object(folder / "summary.json")
    except InputError:
        return {}


def history_of(folder: Path) -> list[Metrics]:
    """The rounds of the run in a folder; none where they cannot be read."""
    try:
        return read_metrics(folder / "metrics.jsonl")
    except InputError:
        return []


def is_sweep(folder: str | Path) -> bool:
    """Whether there is a sweep in a folder."""
    return (Path(folder) / SCENARIO).is_file()


def _is_metric(name: str) -> bool:
    return name not in _HIDDEN and not name.endswith("seconds")
