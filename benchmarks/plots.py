"""Draws how long a round takes: over the number of clients that train in it, and over the width of the hidden layer.

    python benchmarks/plots.py [--turns 1] [--longest 10] [--out benchmarks/rounds.svg]

Engines take turns as in rounds.py. One whose round takes more than `--longest` seconds has no larger workload of that
series to do. Clients of the first series have 32 rows of 64 features and a network 64-32-10; those of the second 600
rows of 784 features and one hidden layer, ten of a hundred in a round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console

from common.errors import RunError
from hothouse.bench.turns import ENGINES, take_turns
from hothouse.bench.workloads import SERIES

Curve = dict[int, float]
"""Seconds of a round by the number that the series is about."""

_AXES = {"clients": "clients in the round", "width": "width of the hidden layer"}


def main() -> None:
    """Measure, print the table and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--longest", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("rounds.svg"))
    options = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    curves = {series: measured(series, options, console) for series in SERIES}
    for series, engines in curves.items():
        print(f"| {_AXES[series]} | {' | '.join(engines)} |\n|--:|{'--:|' * len(engines)}")
        for number in SERIES[series]:
            cells = [f"{1e3 * curve[number]:.3g}" if number in curve else "" for curve in engines.values()]
            print(f"| {number:,} | {' | '.join(cells)} |")
        print()
    draw(curves, options.out)


def measured(series: str, options: argparse.Namespace, console: Console) -> dict[str, Curve]:
    """Each engine's curve, as far as it goes."""
    curves: dict[str, Curve] = {engine: {} for engine in ENGINES}
    for number in SERIES[series]:
        able = {
            engine: command
            for engine, command in ENGINES.items()
            if not curves[engine] or max(curves[engine].values()) <= options.longest
        }
        name = f"{series}={number}"
        for engine, turns in take_turns(able, [name], options.turns, options.workers, console.print)[name].items():
            curves[engine][number] = statistics.median(turn["seconds"] for turn in turns)
    return curves


def draw(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    """Both series beside each other, on logarithmic axes."""
    # Neither a date nor random names: the same numbers are the same file.
    mpl.rcParams["svg.hashsalt"] = "hothouse"
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, len(curves), sharey=True)
    for axis, (series, engines) in zip(axes, curves.items(), strict=True):
        for (engine, curve), mark in zip(engines.items(), "os^", strict=True):
            axis.loglog(list(curve), list(curve.values()), marker=mark, label=engine)
        axis.set_xlabel(_AXES[series])
        axis.grid(which="major", alpha=0.3)
    axes[0].set_ylabel("seconds a round")
    axes[0].legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    try:
        main()
    except RunError as error:
        sys.exit(str(error))
