"""Engines taking turns on the same workloads, each turn in a process of its own, and the table of what they took."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from common.errors import RunError
from hothouse.bench.floor import Floor
from hothouse.bench.workloads import make_data, workload
from hothouse.running.guardian import run_guarded

Turn = dict[str, float]
"""`seconds` per round in steady state, and the test `accuracy` after the workload's number of rounds."""

Results = dict[str, dict[str, list[Turn]]]
"""For each workload and engine the turns it had."""

ENGINES: dict[str, list[str]] = {
    "hothouse": [sys.executable, "-P", "-m", "hothouse.bench.whole_rounds"],
    "plain": [sys.executable, "-P", "-m", "hothouse.bench.plain"],
    "flower": [sys.executable, "-P", "-m", "hothouse.bench.flower"],
}
"""How each engine's turn is started; it is given the workload's name, the data and the number of workers."""

_QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
_COLUMNS = ("workload", "engine", "milliseconds a round", "turns", "Hothouse is faster by", "accuracy")


def take_turns(
    engines: Mapping[str, list[str]],
    workloads: Sequence[str],
    turns: int,
    workers: int,
    told: Callable[[str], None],
    data: Path | None = None,
) -> Results:
    """Let the engines take turns, so that a machine that is slow for a while is slow for all of them.

    `told` is called before each turn; `data` has the examples in place of generated ones. Raises RunError where an
    engine fails.
    """
    results: Results = {name: {engine: [] for engine in engines} for name in workloads}
    with tempfile.TemporaryDirectory() as folder:
        for name in workloads:
            examples = data or Path(folder) / f"{name}.npz"
            if data is None:
                make_data(workload(name), examples)
            for turn in range(turns):
                for engine, command in engines.items():
                    told(f"{name}, turn {turn + 1} of {turns}: {engine} …")
                    results[name][engine].append(_turn(engine, command, name, examples, Path(folder), workers))
    return results


def as_table(results: Results, floor: Floor) -> Table:
    """The medians of the turns, beside the machine's floor."""
    speed = f"{floor.operations / 1e9:.0f} GFLOP/s, {floor.bytes / 1e9:.0f} GB/s"
    table = Table(title=f"Rounds in steady state, medians of the turns; the machine: {speed}")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in ("workload", "engine") else "right")
    for row in _rows(results, floor):
        table.add_row(*row)
    return table


def as_markdown(results: Results, floor: Floor) -> str:
    """The same for a page."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|--:|--:|--:|--:|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in _rows(results, floor))])


def faster_by(results: Results, workload: str, engine: str) -> float:
    """How many times an engine's round takes as long as Hothouse's, the median over the turns."""
    pairs = zip(results[workload][engine], results[workload]["hothouse"], strict=True)
    return statistics.median(theirs["seconds"] / ours["seconds"] for theirs, ours in pairs)


def _rows(results: Results, floor: Floor) -> list[list[str]]:
    rows = []
    for name, engines in results.items():
        for engine, turns in engines.items():
            times = [1e3 * turn["seconds"] for turn in turns]
            ratio = f"{faster_by(results, name, engine):.1f}×" if "hothouse" in engines else ""
            accuracy = f"{statistics.median(turn['accuracy'] for turn in turns):.3f}"
            each = " ".join(f"{time:.3g}" for time in times)
            rows.append([name, engine, f"{statistics.median(times):.3g}", each, ratio, accuracy])
        rows.append([name, "floor", f"{1e3 * floor.seconds(workload(name)):.2g}", "", "", ""])
    return rows


def _turn(engine: str, command: list[str], workload: str, data: Path, folder: Path, workers: int) -> Turn:
    done = run_guarded(
        [*command, workload, str(data), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **_QUIET, "HOTHOUSE_CACHE": str(folder / "cache")},
    )
    if done.returncode:
        raise RunError(f"{engine} failed on {workload}:\n{done.stderr[-3000:]}")
    turn: Turn = json.loads(done.stdout.splitlines()[-1])
    return turn
