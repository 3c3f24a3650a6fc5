"""The plain loop's turn: one process, one thread, one client after the other, no messages."""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import time
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from common.networks.cnn import Cnn
from common.scenario.model import NetworkData
from hothouse.bench.workloads import CLASSES, RATE, Workload
from hothouse.bench.workloads import workload as named


@lru_cache(maxsize=1)
def load(path: str) -> dict[str, Tensor]:
    """The arrays of the archive as tensors."""
    with np.load(path) as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def network(workload: Workload) -> nn.Sequential:
    """An MLP with ReLU between its layers, or the CNN that ships."""
    if workload.channels:
        shape = (1, workload.side, workload.side)
        cnn = Cnn(channels=workload.channels, layers=workload.hidden)
        return cast(nn.Sequential, cnn.build(NetworkData(shape, CLASSES, "classification")))
    widths = [workload.features, *workload.hidden, CLASSES]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(model: nn.Module, x: Tensor, y: Tensor, batch: int) -> None:
    """One epoch of SGD over a client's examples in a random order, as anyone would write it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    order = torch.randperm(len(x))
    for first in range(0, len(x), batch):
        rows = order[first : first + batch]
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(x[rows]), y[rows]))
        optimizer.step()


@torch.inference_mode()
def accuracy(model: nn.Module, data: dict[str, Tensor]) -> float:
    """The share of test examples that the model gets right."""
    return float((model(data["x_test"]).argmax(dim=1) == data["y_test"]).float().mean())


def main(name: str, path: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first left out."""
    torch.set_num_threads(1)
    workload, data = named(name), load(path)
    times = []
    model = network(workload)
    for _ in range(workload.rounds):
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
