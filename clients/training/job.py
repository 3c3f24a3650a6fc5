"""What a message asks of its clients, and what any trainer gives back: all that does not depend on who trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.own_settings import with_own_settings
from clients.training.training_context import training_context
from common.arrays import tensors
from common.data.prepared import Indices, Prepared
from common.devices import to_device, to_device_of
from common.messages import BUFFERS, TrainOrder
from common.models import Weights
from common.personal import as_kept, own_arrays
from common.scenario.training import Training


@dataclass(frozen=True)
class TrainedClients:
    """Clients after their training, in the order in which they were asked for."""

    flat: Tensor
    """Each client's parameters and buffers, (clients, numbers)."""
    losses: NDArray[np.float64]
    """Each client's mean batch loss, (clients,)."""
    sizes: Indices
    """Each client's training examples."""
    steps: Indices
    """The steps behind each client's weights."""
    state: Weights
    """What each client keeps for its next round, (clients, …)."""
    contributions: dict[str, Tensor] = field(default_factory=dict)
    """What an algorithm adds up besides weights, each flat like a network's parameters, (clients, parameters)."""
    metrics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """What an algorithm tells of each client, (clients,)."""


class Trainer(Protocol):
    """Trains the clients of one message, several in a call."""

    def cut(self, blocks: list[slice]) -> Iterator[Indices]:
        """The places of the clients to train in one call, call by call."""

    def train(self, places: Indices) -> TrainedClients:
        """Train the clients at `places` of the message."""

    def add(self, totals: Tensor, flat: Tensor, weights: NDArray[np.float64], owners: Indices) -> None:
        """totals[owners] += weights·flat, in place: totals (any, numbers), the others an entry per client.

        Owners are ascending.
        """


class TrainJob:
    """The clients of one message: what they train with, start from and have kept."""

    def __init__(self, prepared: Prepared, order: TrainOrder) -> None:
        self.order, self.prepared = order, prepared
        self.basis = basis = training_context(prepared, order.data_spec, order.settings)
        self.settings, self.training, self.strategy = basis.settings, basis.settings.training, basis.settings.strategy
        self.layout, self.dtype = basis.layout, basis.dtype
        self.kept = tensors(order.state)
        """What the message's clients kept from their last round, by name: (clients, …)."""
        self._start = tensors(order.records.get(BUFFERS, {}) | order.parameters)

    @property
    def optimizers_carry_on(self) -> bool:
        """Whether clients keep their optimizers' state from round to round."""
        return self.training.optimizer_state == "client" and self.order.fresh is not None

    @property
    def starts_alike(self) -> bool:
        """Whether all of the message's clients start from the same weights."""
        return bool(self.order.parameters) and not len(self.order.starts.places) and not self.basis.kept

    def starting_weights(self, places: Indices) -> Tensor:
        """What the clients at `places` start from, (clients, numbers)."""
        if self.order.parameters:
            flat = self.layout.flatten(self._start, len(places))
        else:
            flat = torch.zeros(len(places), self.layout.size, dtype=self.dtype)
        own, views = own_arrays(self.kept), self.layout.views(flat)
        if self.order.fresh is not None and own:
            kept = torch.from_numpy(np.flatnonzero(~self.order.fresh[places]))
            for name in self.basis.kept:
                views[name][kept] = own[name][torch.from_numpy(places)][kept]
        starts = self.order.starts.among(places)
        for name, tensor in tensors(starts.weights).items():
            views[name][torch.from_numpy(starts.places)] = tensor.to(self.dtype)
        return flat

    def own(self, flat: Tensor) -> Weights:
        """What clients continue with of their weights (clients, numbers), as it is kept: (clients, *shape)."""
        views = self.layout.views(flat)
        return as_kept({name: views[name] for name in self.basis.kept})

    def training_of(self, places: Indices) -> Training:
        """The training settings of the clients at `places`, their own ones on the device where they train."""
        own = {name: torch.from_numpy(np.array(vector[places])) for name, vector in self.order.values.items()}
        on_device = {name: to_device(vector.to(self.dtype), self.basis.device) for name, vector in own.items()}
        return with_own_settings(self.training, on_device)

    def restore_optimizer_state(self, state: Weights, places: Indices) -> None:
        """Put what clients kept of their optimizer's state, where they keep it, into a fresh one: (stack, …) each."""
        if not self.optimizers_carry_on or self.order.fresh is None:
            return
        kept = torch.from_numpy(np.flatnonzero(~self.order.fresh[places]))
        for name, tensor in state.items():
            if name in self.kept:
                rows = self.kept[name][torch.from_numpy(places)][kept]
                tensor[to_device_of(kept, tensor)] = to_device_of(rows, tensor)
