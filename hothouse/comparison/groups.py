"""Which runs belong together, and what tells the groups apart."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.metrics import more_is_better
from common.run_files import Entry
from common.scenario.flat import flat
from hothouse.results.records import RunRecords, naming_folder

_FREE = ("seed", "name", "checkpoints", "tracking")
"""Keys in which runs of a group may differ: they change no round."""
_IN_LABELS = 3
"""Differing keys that a label tells."""


@dataclass(frozen=True)
class Group:
    """Runs of the same scenario up to the seed, on the same data and by the same software."""

    label: str
    values: dict[str, Any]
    """The scenario's keys, dotted, without those that may differ."""
    runs: list[RunRecords]
    """One for each seed, in the order of seeds."""

    @property
    def by_seed(self) -> dict[int, RunRecords]:
        """The runs by their seeds."""
        return {int(run.scenario["seed"]): run for run in self.runs}

    @property
    def complete(self) -> bool:
        """Whether its runs ended as they were to; else none of them did."""
        return all(run.status == "complete" for run in self.runs)

    def rounds(self, metric: str) -> list[int]:
        """The rounds after which every run has this metric."""
        known = [set(run.column(metric)[0]) for run in self.runs]
        return sorted(set.intersection(*known)) if known else []

    def values_at(self, metric: str, rounds: Sequence[int]) -> list[list[float]]:
        """Each run's metric after these rounds, (runs, rounds)."""
        found = [dict(zip(*run.column(metric), strict=True)) for run in self.runs]
        return [[values[number] for number in rounds] for values in found]


@dataclass(frozen=True)
class Groups:
    """Runs in groups, and those that were left out."""

    groups: list[Group]
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    """Folders, and why they do not count."""

    def more_is_better(self, column: str) -> bool:
        """Whether more of a column of metrics.jsonl is better, as the runs recorded it of metrics of their own."""
        own = {name: better for group in self.groups for run in group.runs for name, better in run.own_metrics.items()}
        return more_is_better(column, own)


def find_runs(given: Iterable[str | Path]) -> list[RunRecords]:
    """The runs in folders, in folders of runs and in patterns such as `runs/mine-*`, each once, in that order.

    Raises InputError for something that leads to no run.
    """
    found: dict[Path, RunRecords] = {}
    for one in given:
        # Path.glob takes no absolute pattern.
        folders = [Path(one)] if Path(one).exists() else list(map(Path, sorted(glob.glob(str(one)))))  # noqa: PTH207
        runs = [run for folder in folders for run in _runs_in(folder)]
        if not runs:
            raise InputError(f"{one}: expected a run's folder, a folder of runs or a pattern, found no run there")
        found |= {run.folder.resolve(): run for run in runs if run.folder.resolve() not in found}
    return list(found.values())


def grouped(runs: Sequence[RunRecords]) -> Groups:
    """Runs in groups, in the order in which each group's first run is given.

    Of a group with complete runs the incomplete ones are left out; of runs with the same seed, which are the
    same bits, all but the first. Runs that measured nothing are left out.
    """
    kinds: dict[str, list[RunRecords]] = {}
    left_out: list[tuple[Path, str]] = []
    for run in runs:
        with naming_folder(run.folder):
            if run.judged is None:
                left_out.append((run.folder, "it has measured nothing"))
                continue
            kinds.setdefault(json.dumps([_kind(run.scenario), _ground(run)], sort_keys=True), []).append(run)
            _check(run)
    groups = []
    for members in kinds.values():
        complete = [run for run in members if run.status == "complete"]
        left_out += [(run.folder, f"it is {run.status}") for run in members if complete and run not in complete]
        seeds: dict[int, RunRecords] = {}
        for run in complete or members:
            if run.scenario["seed"] in seeds:
                left_out.append((run.folder, f"it repeats {seeds[run.scenario['seed']].folder}"))
            else:
                seeds[run.scenario["seed"]] = run
        ordered = [seeds[seed] for seed in sorted(seeds)]
        values = flat(_kind(ordered[0].scenario)) | _ground(ordered[0])
        groups.append(Group(str(ordered[0].scenario["name"]), values, ordered))
    return Groups(_labelled(groups), left_out)


def differing_keys(groups: Sequence[Group]) -> list[str]:
    """The dotted keys that tell groups apart, in alphabetical order."""
    keys = sorted({key for group in groups for key in group.values})
    return [key for key in keys if len({json.dumps(group.values.get(key, _NOT_SET)) for group in groups}) > 1]


_NOT_SET = "\0"


def _kind(scenario: Entry) -> Entry:
    return {key: value for key, value in scenario.items() if key not in _FREE}


def _check(run: RunRecords) -> None:
    """Look at what a comparison reads of a run. Raises what reading something else raises."""
    _ = run.status, int(run.scenario["seed"]), str(run.scenario["name"])
    _ = [(line["bytes_down"] + line["bytes_up"], line["seconds"] + 0) for line in run.metrics]
    for part in ("best", "final"):
        told = dict(run.summary.get(part) or {})
        if not isinstance(told.pop("by", ""), str) or any(
            type(one) not in (int, float) for one in told.values() if one
        ):
            raise ValueError(f"{part} has other values than numbers")


def _ground(run: RunRecords) -> dict[str, str]:
    """What a run stands on besides its scenario: the content of its data and the software, as far as they are known."""
    software = run.summary.get("versions", {}).get("hothouse")
    known = {"content of the data": run.summary.get("data"), "software": software}
    return {name: str(value) for name, value in known.items() if value}


def _runs_in(folder: Path) -> list[RunRecords]:
    """The run that a folder is, or the runs below it."""
    if _is_run(folder):
        return [RunRecords(folder)]
    return [RunRecords(path.parent) for path in sorted(folder.rglob("summary.json")) if _is_run(path.parent)]


def _is_run(folder: Path) -> bool:
    return (folder / "summary.json").is_file() and (folder / "scenario.yaml").is_file()


def _labelled(groups: list[Group]) -> list[Group]:
    """Groups by their names where these differ, else by what differs between them."""
    if len({group.label for group in groups}) == len(groups):
        return groups
    keys = differing_keys(groups)
    short = {key: key.rpartition(".")[2] for key in keys}
    if len(set(short.values())) < len(keys):
        short = {key: ".".join(key.split(".")[-2:]) for key in keys}
    labels: list[str] = []
    ground = {"content of the data": "other data", "software": "other software"}
    for group in groups:
        own = [key for key in keys if key in group.values and key not in ground]
        told = [f"{short[key]}={_plain(group.values[key])}" for key in own]
        # A hash says nothing; what differs from the first group's does.
        told += [words for key, words in ground.items() if group.values.get(key) != groups[0].values.get(key)]
        label = ", ".join(told[:_IN_LABELS]) or group.label
        labels.append(label)
    numbered = [label if labels.count(label) == 1 else f"{label} #{place}" for place, label in enumerate(labels, 1)]
    return [Group(label, group.values, group.runs) for label, group in zip(numbered, groups, strict=True)]


def _plain(value: Any) -> str:
    """A value as YAML has it, in short."""
    return json.dumps(value) if isinstance(value, bool | list | dict) or value is None else str(value)
