"""What papers' pseudo-code is written in: gradients and steps of one client's network, slowly and in plain torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from common.arrays import NamedArrays
from common.data import Prepared
from common.scenario import Scenario
from common.selection.rules import select
from server.grid.local import LocalGrid
from server.rounds import Rounds
from tests.federations import FEATURES, Watcher, federation, named, scenario, starting_weights
from tests.plain import Plain

SIZES = [23, 5, 40, 1, 16, 17, 33, 2]
"""Ragged: from one row to several batches."""
COHORT, ROUNDS, RATE, SEED = 5, 3, 0.1, 5


def literal_scenario(strategy: Any, **parts: Any) -> Scenario:
    """Three rounds of five of eight clients, by plain gradient steps in float64."""
    model = {"layers": [7, 5], "dtype": "float64", **parts.pop("model", {})}
    training = {"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": RATE}, **parts.pop("training", {})}
    run = {"rounds": ROUNDS, "clients_per_round": COHORT, "blocks": 3, **parts.pop("federation", {})}
    data = {"source": {"kind": "sklearn"}, "client_holdout": 0.1, "partition": {"scheme": "iid", "clients": 8}}
    return scenario(
        seed=SEED, data=data, model=model, training=training, federation=run | {"strategy": strategy}, **parts
    )


def cohort(round_number: int, size: int = COHORT) -> list[int]:
    """Who takes part in a round."""
    return select(SEED, round_number, len(SIZES), size).tolist()


@dataclass
class Literal:
    """The clients' loss functions, as a paper has them."""

    chosen: Scenario
    prepared: Prepared

    def start(self) -> NamedArrays:
        """The global weights before round 1."""
        return named(starting_weights(self.chosen, self.prepared))

    def gradient(self, weights: NamedArrays, rows: NDArray[np.int64]) -> NamedArrays:
        """∇F on these rows; running statistics in `weights` are moved in place."""
        network = self._network(weights)
        network.train()
        loss = self._loss(network, rows)
        loss.backward()  # type: ignore[no-untyped-call]
        for name, buffer in network.named_buffers():
            if name in weights:
                weights[name] = buffer.numpy()
        return {name: parameter.grad.numpy() for name, parameter in network.named_parameters()}  # type: ignore[union-attr]

    def loss(self, weights: NamedArrays, rows: NDArray[np.int64]) -> float:
        """F on these rows, in use."""
        with torch.no_grad():
            return float(self._loss(self._network(weights).eval(), rows))

    def _network(self, weights: NamedArrays) -> Plain:
        network = Plain(self.chosen.model, FEATURES, len(self.prepared.meta.labels))
        network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()}, strict=False)
        return network

    def _loss(self, network: Plain, rows: NDArray[np.int64]) -> Tensor:
        return F.cross_entropy(network(torch.tensor(self.prepared.x[rows])), torch.tensor(self.prepared.y[rows]))


def mean(models: list[NamedArrays], weights: list[int] | None = None) -> NamedArrays:
    """Σ wₖ θₖ / Σ wₖ, with equal weights if none are given."""
    return {name: np.average([model[name] for model in models], axis=0, weights=weights) for name in models[0]}


@dataclass
class Ran:
    """A run of the product."""

    watcher: Watcher
    grid: LocalGrid
    rounds: Rounds

    @property
    def weights(self) -> NamedArrays:
        """The final global model."""
        return named(self.watcher.model.network)

    def kept(self, client: int, version: int) -> NamedArrays:
        """What a client has kept from a round."""
        states, _ = self.grid.states.get(np.array([client]), np.array([version]))
        return {name: array[0] for name, array in states.items()}


def run(chosen: Scenario, prepared: Prepared, excluding: bool = False) -> Ran:
    """The scenario on the prepared data, in this process; nobody is excluded unless that is expected."""
    watcher, grid = Watcher(), LocalGrid("clients.app:app", [{"data-dir": str(prepared.folder)}], {})
    rounds = Rounds(grid, chosen, prepared, [watcher])
    rounds.run()
    assert excluding == any(event == "excluded" for event, _ in watcher.events)
    return Ran(watcher, grid, rounds)


def clients(folder: Path, sizes: list[int] | None = None) -> Prepared:
    """Clients with so many examples to train on, each holding four more out."""
    sizes = sizes or SIZES
    return federation(folder, [size + 4 for size in sizes], held=[4] * len(sizes))


def last_rounds(size: int = COHORT) -> dict[int, int]:
    """The last round in which each client took part that took part at all."""
    return {client: number for number in range(1, ROUNDS + 1) for client in cohort(number, size)}


def assert_equal(found: NamedArrays, expected: NamedArrays, tolerance: float) -> None:
    """Arrays are the same up to `tolerance`."""
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert np.abs(found[name] - array).max() <= tolerance, name
