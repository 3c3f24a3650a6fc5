"""Early stopping: each client watches the loss of its own held-out examples and keeps its best weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common import seeds
from common.data.examples import ExampleReader
from common.data.prepared import Indices
from common.devices import to_device_of
from common.models import Weights
from common.objective import Objective
from common.scenario.regularization import EarlyStopping as Spec

HoldoutLosses = Callable[[Indices, Weights], NDArray[np.float64]]
"""(clients, all that training carries) → each of these clients' mean loss on its held-out examples, (clients,)."""


class EarlyStopping:
    """Watches a stack of clients, epoch after epoch of each."""

    def __init__(self, spec: Spec, losses: HoldoutLosses, watched: NDArray[np.bool_], per_epoch: Indices) -> None:
        """`watched` says which clients hold examples out, `per_epoch` the steps of their epochs, (stack,) both."""
        self._spec, self._losses, self._watched, self._per_epoch = spec, losses, watched, per_epoch
        self._best = np.full(len(watched), np.inf)
        self._bad = np.zeros(len(watched), dtype=np.int64)
        self._kept: Weights = {}
        self.steps = np.zeros(len(watched), dtype=np.int64)
        """How many steps led to the weights that each client keeps."""
        self._stopped = np.zeros(len(watched), dtype=np.int64)

    def still_training(self, active: int) -> NDArray[np.bool_]:
        """Which of the first `active` clients have not stopped, (active,)."""
        going: NDArray[np.bool_] = self._stopped[:active] == 0
        return going

    def steps_taken(self, counts: Indices) -> Indices:
        """How many steps each client took before it stopped, of the `counts` it had before it: (stack,)."""
        return np.where(self._stopped > 0, self._stopped, counts)

    def begin(self, carried: Weights) -> None:
        """Look at the clients before their first step; `carried` is all that is put back: (stack, …) each."""
        self._kept = {name: tensor.clone() for name, tensor in carried.items()}
        clients = np.arange(len(self._watched))
        self.look(clients, carried, np.zeros_like(clients))

    def after(self, step: int, active: int, carried: Weights) -> None:
        """Look at the clients that end an epoch with step 0, 1, …"""
        clients = np.arange(active)
        self.look(clients[(step + 1) % self._per_epoch[:active] == 0], carried, np.full(active, step + 1))

    def end(self, carried: Weights, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put each client's best back in place; returns the steps behind it, `counts` for the unwatched."""
        for name, tensor in carried.items():
            chosen = to_device_of(torch.from_numpy(np.flatnonzero(self._watched)), tensor)
            tensor[chosen] = self._kept[name][chosen]
        return np.where(self._watched, self.steps, counts)

    @torch.no_grad()
    def look(self, clients: Indices, carried: Weights, taken: Indices) -> None:
        """Look at `clients` that have ended an epoch; `taken` are everybody's steps so far."""
        clients = clients[self._watched[clients] & (self._stopped[clients] == 0)]
        if not len(clients):
            return
        better = self._losses(clients, carried)
        improved = better < self._best[clients] - self._spec.min_delta
        ahead, others = clients[improved], clients[~improved & (taken[clients] > 0)]
        self._best[ahead], self._bad[ahead], self.steps[ahead] = better[improved], 0, taken[ahead]
        for name, tensor in carried.items():
            chosen = to_device_of(torch.from_numpy(ahead), tensor)
            self._kept[name][chosen] = tensor[chosen]
        self._bad[others] += 1
        ended = others[self._bad[others] >= self._spec.patience]
        self._stopped[ended] = taken[ended]


class PytorchLosses:
    """The mean loss of each client's network on its held-out examples, client by client."""

    def __init__(
        self,
        objective: Objective,
        examples: ExampleReader,
        holdout: list[Indices],
        fills: Tensor | None,
        streams: seeds.Streams,
    ) -> None:
        """`holdout` are each client's held-out examples, `streams` what networks that draw then draw from, (stack,)."""
        self._objective, self._examples, self._fills = objective, examples, fills
        self._holdout, self._streams = holdout, streams
        self._arrays = set(objective.network.arrays())

    def __call__(self, clients: Indices, carried: Weights) -> NDArray[np.float64]:
        """(clients,)."""
        return np.array([self._of(client, carried) for client in clients.tolist()])

    def _of(self, client: int, carried: Weights) -> float:
        positions = torch.from_numpy(self._holdout[client]).unsqueeze(0)
        fill = None if self._fills is None else self._fills[client : client + 1]
        # What optimizers and algorithms carry beside them is no part of the network.
        own = {name: tensor[client : client + 1] for name, tensor in carried.items() if name in self._arrays}
        x = self._examples.inputs(positions, fill)
        shares = x.new_full(positions.shape, 1 / positions.shape[1])
        keys = seeds.bits(self._streams[client : client + 1], positions.shape[1])[0]
        return float(self._objective.means(own, x, self._examples.targets(positions), shares, keys=keys)[0])
