"""Seconds per round in steady state: Hothouse, Flower's own engine and a plain PyTorch loop, in turn.

    python benchmarks/rounds.py [--workloads W1 W3] [--turns 3] [--out benchmarks/results/rounds.json]

Every engine trains the same clients on the same rows with the same settings and averages them with Flower's
FedAvg (the plain loop by hand). The engines take turns, several times, so that a machine that is slow for a
while is slow for all; the medians and their ratios are printed, with the accuracy that each reached beside
them. Flower gets the best setting found: actors that stay, one processor each, one thread in PyTorch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

ENGINES = ("hothouse", "flower", "plain")


@dataclass(frozen=True)
class Workload:
    """A federation and what is done in a round of it."""

    clients: int
    rows: int
    features: int
    hidden: tuple[int, ...]
    batch: int
    cohort: int
    rounds: int
    """After how many rounds every engine is tested; those that are quick go on to be timed for longer."""
    timed: int
    """How many rounds Hothouse is timed for."""


WORKLOADS = {
    "W1": Workload(100, 600, 784, (200, 200), 10, 10, rounds=10, timed=40),
    "W2": Workload(1000, 32, 64, (32,), 16, 100, rounds=10, timed=200),
    "W3": Workload(1000, 32, 64, (32,), 16, 1000, rounds=5, timed=100),
}
CLASSES = 10
RATE = 0.05


def make_data(workload: Workload, path: Path) -> None:
    """Rows that a linear teacher labels, so that there is something to learn; a tenth as many to test on."""
    rng = np.random.default_rng(0)
    rows = workload.clients * workload.rows
    x = rng.standard_normal((rows + rows // 10, workload.features), dtype=np.float32)
    y = (x @ rng.standard_normal((workload.features, CLASSES), dtype=np.float32)).argmax(axis=1)
    np.savez(path, x_train=x[:rows], y_train=y[:rows], x_test=x[rows:], y_test=y[rows:])


def main() -> None:
    """Run the engines in turn and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--turns", type=int, default=3, help="how often each engine has its turn")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="write all times as JSON")
    options = parser.parse_args()
    console, results = Console(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.workloads:
            data = Path(folder) / f"{name}.npz"
            make_data(WORKLOADS[name], data)
            results[name] = {engine: [] for engine in options.engines}
            for turn in range(options.turns):
                for engine in options.engines:
                    console.print(f"{name}, turn {turn + 1} of {options.turns}: {engine} …")
                    results[name][engine].append(_turn(engine, name, data, options.workers))
    console.print(_table(results))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1))


def _turn(engine: str, workload: str, data: Path, workers: int) -> dict[str, float]:
    """One engine's turn, in a process of its own: median seconds per round, and the accuracy at the end."""
    quiet = {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(here / f"engine_{engine}.py"), workload, str(data), str(workers)],
        capture_output=True,
        text=True,
        check=False,
        cwd=here,
        env={**os.environ, **quiet, "HOTHOUSE_CACHE": str(data.parent / "cache")},
    )
    if done.returncode:
        sys.exit(f"{engine} failed on {workload}:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _table(results: dict[str, dict[str, list[dict[str, float]]]]) -> Table:
    table = Table(title="Seconds per round (median of the turns), and how much faster Hothouse is")
    for column in (
        "workload",
        "engine",
        "seconds per round",
        "turns",
        "Hothouse is faster by",
        "accuracy",
        "after rounds",
    ):
        table.add_column(column, justify="left" if column in ("workload", "engine") else "right")
    for name, engines in results.items():
        medians = {engine: statistics.median(turn["seconds"] for turn in turns) for engine, turns in engines.items()}
        for engine, turns in engines.items():
            table.add_row(
                name,
                engine,
                f"{medians[engine]:.4f}",
                " ".join(f"{turn['seconds']:.4f}" for turn in turns),
                f"{medians[engine] / medians['hothouse']:.1f}×" if "hothouse" in medians else "",
                f"{statistics.median(turn['accuracy'] for turn in turns):.3f}",
            )
    return table


if __name__ == "__main__":
    main()
