"""Seconds of local training per round, by the compiled trainer and by PyTorch, in turn in one process.

    python benchmarks/trainers.py [--workloads W1 W2] [--turns 3]

Both train the same clients on the same rows in this process on one thread (`--engine local`); the medians of their
rounds are compared. The accuracy beside them says that they learn the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import hothouse
from hothouse.bench.workloads import RATE, WORKLOADS, make_data

VARIANTS: dict[str, dict[str, Any]] = {
    "SGD, ReLU": {},
    "momentum": {"training": {"optimizer": {"name": "sgd", "lr": RATE, "momentum": 0.9}}},
    "Adam": {"training": {"optimizer": {"name": "adam"}}},
    "GELU": {"model": {"activation": "gelu"}},
    "dropout ½": {"model": {"dropout": 0.5}},
    "L2, clipped": {"training": {"regularization": {"l2": 0.001}, "clip_norm": 1.0}},
}


def main() -> None:
    """Let the trainers take turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=["W1", "W2"])
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    table = Table(title="Milliseconds of training per round, medians of the turns")
    for column in ("workload", "variant", "PyTorch", "compiled", "faster by", "accuracies"):
        table.add_column(column, justify="left" if column in ("workload", "variant") else "right")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.workloads:
            data = Path(folder) / f"{name}.npz"
            make_data(WORKLOADS[name], data)
            for variant, parts in VARIANTS.items():
                turns = [
                    {engine: _turn(name, data, parts, engine, Path(folder)) for engine in ("torch", "compiled")}
                    for _ in range(options.turns)
                ]
                took = {e: statistics.median(turn[e][0] for turn in turns) for e in ("torch", "compiled")}
                ratio = statistics.median(turn["torch"][0] / turn["compiled"][0] for turn in turns)
                accuracies = " ".join(f"{turns[0][e][1]:.3f}" for e in ("torch", "compiled"))
                times = (f"{took[e] * 1e3:.2f}" for e in ("torch", "compiled"))
                table.add_row(name, variant, *times, f"{ratio:.1f}×", accuracies)
    Console().print(table)


def _turn(name: str, data: Path, parts: dict[str, Any], engine: str, folder: Path) -> tuple[float, float]:
    """The median seconds of training in a round, the first left out, and the accuracy in the end."""
    workload = WORKLOADS[name]
    scenario = {
        "data": {
            "source": {"kind": "npz", "path": str(data)},
            "partition": {"scheme": "iid", "clients": workload.clients},
        },
        "model": {"layers": list(workload.hidden), **parts.get("model", {})},
        "training": {
            "batch_size": workload.batch,
            "optimizer": {"name": "sgd", "lr": RATE},
            "trainer": engine,
            **parts.get("training", {}),
        },
        "federation": {"rounds": workload.rounds, "clients_per_round": workload.cohort},
        "evaluation": {"every": workload.rounds},
    }
    with tempfile.TemporaryDirectory(dir=folder) as out:
        metrics = hothouse.run(scenario, engine="local", out=Path(out) / "run").metrics
    return metrics.training_seconds[1:].median(), metrics.test_accuracy.iloc[-1]


if __name__ == "__main__":
    main()
