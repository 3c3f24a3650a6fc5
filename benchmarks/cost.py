"""What a setting costs: processor seconds per round of the 784-200-200-10 workload without it and with it.

    python benchmarks/cost.py --with 'training.augmentation=[rotation, shift]' [--with KEY=VALUE KEY=VALUE …]
        [--set KEY=VALUE …] [--turns 3] [--rounds 8]

Each `--with` is a variant of its own, `--set` changes all of them and the plain workload too. A variant that is
refused or fails is left out and named, and the exit status is 1. The plain workload is
W1 of rounds.py on images of 28 by 28 bytes, in one process on one thread; variants take turns with it. Processor time
is counted, which other work on the machine changes less than the clock, and the least of the turns is taken: what is
above it is the machine's doing. Trust the ratios all the same, not the times.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import hothouse
from common.errors import InputError, RunError
from hothouse.bench.workloads import CLASSES, RATE, WORKLOADS

W1 = WORKLOADS["W1"]


def main() -> int:
    """Run the variants in turn and print what they took; 1 where one could not be run, which is left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", nargs="+", action="append", required=True, metavar="KEY=VALUE", dest="variants")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="all")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    variants: dict[str, list[str]] = {"plain": []} | {" ".join(variant): variant for variant in options.variants}
    times: dict[str, list[float]] = {name: [] for name in variants}
    failed: dict[str, str] = {}
    console = Console(highlight=False, markup=False)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npz"
        make_images(data)
        for turn in range(options.turns):
            for name in [one for one in variants if one not in failed]:
                console.print(f"turn {turn + 1} of {options.turns}: {name} …")
                try:
                    times[name].append(_seconds(data, options.all + variants[name], options.rounds))
                except (InputError, RunError) as error:
                    if name == "plain":
                        raise
                    failed[name] = str(error)
                    console.print(f"{name}: left out: {error}")
    table = Table(title="Processor seconds per round (the least of the turns), and how many times the plain round")
    for column in ("variant", "seconds", "turns", "ratio"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for name, values in times.items():
        if name in failed:
            table.add_row(escape(name), "failed", "", "")
            continue
        turns = " ".join(f"{value:.3f}" for value in values)
        table.add_row(escape(name), f"{min(values):.3f}", turns, f"{min(values) / min(times['plain']):.2f}")
    Console().print(table)
    return int(bool(failed))


def make_images(path: Path) -> None:
    """W1's rows as images of bytes: a blob each, its place the label."""
    rng = np.random.default_rng(0)
    rows = W1.clients * W1.rows
    labels = rng.integers(0, CLASSES, rows)
    grid = np.arange(28)
    middle = 4 + 2.2 * labels[:, None] + rng.normal(size=(rows, 1))
    line, column = np.exp(-((grid - 14) ** 2) / 40), np.exp(-((grid - middle) ** 2) / 8)
    images = (255 * line[None, :, None] * column[:, None, :]).astype(np.uint8)
    np.savez(path, x_train=images, y_train=labels)


class _Stopwatch:
    """Notes the processor time at the end of every round."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def round_ended(self, metrics: dict[str, Any]) -> None:
        self.times.append(time.process_time())

    def __getattr__(self, name: str) -> Any:
        return lambda *anything: None


def _seconds(data: Path, overrides: list[str], rounds: int) -> float:
    """The median of one run's rounds, the first left out, and the last, which evaluates."""
    scenario = {
        "data": {
            "source": {"kind": "npz", "path": str(data)},
            "partition": {"scheme": "iid", "clients": W1.clients},
        },
        "model": {"layers": list(W1.hidden)},
        "training": {"epochs": 1, "batch_size": W1.batch, "optimizer": {"name": "sgd", "lr": RATE}},
        "federation": {"rounds": rounds, "clients_per_round": W1.cohort},
        "evaluation": {"every": rounds},
    }
    watch = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        hothouse.run(scenario, overrides=overrides, engine="local", out=Path(folder) / "run", observers=[watch])
    return float(np.median(np.diff(watch.times)[1:-1]))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InputError, RunError) as error:
        sys.exit(str(error))
