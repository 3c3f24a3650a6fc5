"""Hothouse's turn: the whole round through Flower's strategy, RayGrid and Ray."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import hothouse
from hothouse.bench.workloads import RATE
from hothouse.bench.workloads import workload as named


def main(name: str, data: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first few left out."""
    workload = named(name)
    network = {"name": "cnn", "channels": list(workload.channels)} if workload.channels else {}
    scenario = {
        "data": {
            "source": {"kind": "npz", "path": data},
            "partition": {"scheme": "iid", "clients": workload.clients},
        },
        "model": network | {"layers": list(workload.hidden)},
        "training": {"epochs": 1, "batch_size": workload.batch, "optimizer": {"name": "sgd", "lr": RATE}},
        "federation": {"rounds": workload.timed, "clients_per_round": workload.cohort},
        "evaluation": {"every": workload.rounds},
    }
    with tempfile.TemporaryDirectory() as folder:
        run = hothouse.run(scenario, workers=int(workers), out=Path(folder) / "run")
        metrics = run.metrics
    # Rounds that evaluate take longer; the other engines do not evaluate at all.
    steady = metrics.seconds[3:][metrics.test_accuracy[3:].isna()]
    accuracy = metrics.test_accuracy[workload.rounds]
    print(json.dumps({"seconds": steady.median(), "accuracy": accuracy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
