"""The plain loop's turn in `rounds.py`: one process, one thread, one client after the other, no messages."""

from __future__ import annotations

import json
import random
import statistics
import sys
import time

import torch
from plain import accuracy, load, network, train
from rounds import WORKLOADS


def main(name: str, path: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first left out."""
    torch.set_num_threads(1)
    workload, data = WORKLOADS[name], load(path)
    rounds, times = workload.rounds, []
    model = network(workload)
    for _ in range(rounds):
        started = time.perf_counter()
        start = {key: value.clone() for key, value in model.state_dict().items()}
        total = {key: torch.zeros_like(value) for key, value in start.items()}
        for client in random.sample(range(workload.clients), workload.cohort):
            model.load_state_dict(start)
            rows = slice(client * workload.rows, (client + 1) * workload.rows)
            train(model, data["x_train"][rows], data["y_train"][rows], workload.batch)
            for key, value in model.state_dict().items():
                total[key] += value / workload.cohort
        model.load_state_dict(total)
        times.append(time.perf_counter() - started)
    print(json.dumps({"seconds": statistics.median(times[1:]), "accuracy": accuracy(model, data)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
