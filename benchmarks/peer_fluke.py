"""fluke's turn in `rounds.py`: its FedAVG, clients one after the other in one process. `pip install fluke-fl`"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time

import numpy as np
import torch
from fluke import DDict, FlukeENV
from fluke.algorithms.fedavg import FedAVG
from fluke.data import FastDataLoader
from fluke.utils import FederationObserver


class Stopwatch(FederationObserver):
    """Notes when rounds begin and end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def start_round(self, round: int, global_model: torch.nn.Module) -> None:
        """Begin a round."""
        self._started = time.perf_counter()

    def end_round(self, round: int) -> None:
        """End it."""
        self.times.append(time.perf_counter() - self._started)


class Shards:
    """Hands each client its rows, in place of fluke's own splitters."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, rows: int) -> None:
        self._x, self._y, self._rows = x, y, rows

    def assign(self, n_clients: int, batch_size: int) -> tuple:
        """Loaders of the clients' training examples, none of test examples, and none for the server."""
        parts = [slice(client * self._rows, (client + 1) * self._rows) for client in range(n_clients)]
        loaders = [
            FastDataLoader(self._x[part], self._y[part], num_labels=10, batch_size=batch_size, shuffle=True)
            for part in parts
        ]
        return (loaders, [None] * n_clients), None


def main(workloads: str, name: str, path: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first two left out."""
    torch.set_num_threads(1)
    workload = json.loads(workloads)[name]
    data = {key: torch.from_numpy(array) for key, array in np.load(path).items()}
    environment = FlukeENV()
    environment.set_seed(0)
    environment.set_device("cpu")
    environment.set_eval_cfg(server=False)
    widths, layers = [workload["features"], *workload["hidden"], 10], []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    settings = DDict(
        model=torch.nn.Sequential(*layers[:-1]),
        client=DDict(
            batch_size=workload["batch"],
            local_epochs=1,
            loss=torch.nn.CrossEntropyLoss,
            optimizer=DDict(name="SGD", lr=0.05),
            scheduler=DDict(name="StepLR", gamma=1, step_size=1),
        ),
        server=DDict(weighted=True),
    )
    shards = Shards(data["x_train"], data["y_train"].long(), workload["rows"])
    federation, stopwatch = FedAVG(workload["clients"], shards, settings), Stopwatch()
    federation.set_callbacks(stopwatch)
    federation.run(workload["rounds"], workload["cohort"] / workload["clients"])
    guesses = federation.server.model(data["x_test"]).argmax(dim=1)
    seconds = statistics.median(stopwatch.times[2:] or stopwatch.times)
    print(json.dumps({"seconds": seconds, "accuracy": (guesses == data["y_test"]).float().mean().item()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
