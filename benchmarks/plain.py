"""What the engines without a trainer of their own share: the data, the network, and one client's epoch."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import torch
from rounds import CLASSES, RATE, Workload
from torch import Tensor, nn


@lru_cache(maxsize=1)
def load(path: str) -> dict[str, Tensor]:
    """The arrays of the archive as tensors."""
    with np.load(path) as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def network(workload: Workload) -> nn.Sequential:
    """An MLP with ReLU between its layers."""
    widths = [workload.features, *workload.hidden, CLASSES]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(model: nn.Module, x: Tensor, y: Tensor, batch: int) -> None:
    """One epoch of SGD over a client's rows in a random order, as anyone would write it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    order = torch.randperm(len(x))
    for first in range(0, len(x), batch):
        rows = order[first : first + batch]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


@torch.inference_mode()
def accuracy(model: nn.Module, data: dict[str, Tensor]) -> float:
    """The share of test rows that the model gets right."""
    return float((model(data["x_test"]).argmax(dim=1) == data["y_test"]).float().mean())
