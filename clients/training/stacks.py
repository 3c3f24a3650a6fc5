"""Training stacks of clients as a message says: what all of its stacks share, and what each client brings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.algorithms import OwnRound, algorithm_of
from clients.host.basis import basis_of
from clients.measuring.fit import training_losses
from clients.optimizers import Optimizer
from clients.regularization.dropout import Noise
from clients.regularization.early_stopping import EarlyStopping
from clients.regularization.mixup import Mixup
from clients.regularization.weights import after_step, before_step
from clients.training.batches import batches, steps_of, steps_per_epoch
from clients.training.course import Course
from clients.training.inputs import Augment
from clients.training.schedules import LearningRates
from clients.training.trainer import Stack
from clients.training.values import Values
from common import seeds
from common.arrays import tensors
from common.data.prepared import Indices, Prepared
from common.evaluation import Evaluator
from common.messages import BUFFERS, TrainOrder
from common.models import Weights
from common.personal import as_kept, own_arrays
from common.scenario.registry import implementation
from common.scenario.training import Training

_NUMBERS = 1 << 20
"""How many parameters a stack may have in all: what stays in a core's cache with its gradients."""

_AT_ONCE = 256
"""How many examples of each client a pass over all of them takes at once."""


@dataclass(frozen=True)
class Trained:
    """A stack after its training, in the order in which its clients were asked for."""

    flat: Tensor
    """Each client's parameters and buffers, (stack, numbers)."""
    losses: NDArray[np.float64]
    """Each client's mean batch loss, (stack,)."""
    sizes: Indices
    """Each client's training rows."""
    steps: Indices
    """The steps behind each client's weights."""
    state: Weights
    """What each client keeps for its next round, (stack, …)."""
    contributions: dict[str, Tensor] = field(default_factory=dict)
    """What an algorithm adds up besides weights, each flat like a network's parameters, (stack, parameters)."""
    metrics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """What an algorithm tells of each client, (stack,)."""


class Stacks:
    """Trains the clients of one message."""

    def __init__(self, prepared: Prepared, order: TrainOrder) -> None:
        self._order, self._prepared = order, prepared
        self.basis = basis = basis_of(prepared, order.agreement, order.settings)
        self._settings, self.training, self.strategy = basis.settings, basis.settings.training, basis.settings.strategy
        self.network, self.layout, self.dtype = basis.network, basis.layout, basis.dtype
        self._rows, self._pipeline, self._loss = basis.rows, basis.pipeline, basis.loss
        self._start = tensors(order.records.get(BUFFERS, {}) | order.parameters)
        self._kept = tensors(order.state)

    def cut(self, blocks: list[slice]) -> Iterator[Indices]:
        """The places of the clients to train at once, in stacks within each block."""
        width = self.training.stack or stack_width(self.layout.size)
        for block in blocks:
            for first in range(block.start, block.stop, width):
                yield np.arange(first, min(first + width, block.stop))

    def add(self, totals: Tensor, flat: Tensor, weights: NDArray[np.float64], owners: Indices) -> None:
        """totals[owners] += weights·flat, in place: totals (any, numbers), the others an entry per client.

        Owners are ascending.
        """
        own = torch.from_numpy(weights).to(self.dtype)
        for owner in np.unique(owners).tolist():
            first, end = np.searchsorted(owners, [owner, owner + 1])
            totals[owner] += own[first:end] @ flat[first:end]

    def train(self, places: Indices) -> Trained:
        """Train the clients at `places` of the message."""
        shards = self._shards(places)
        sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
        counts = steps_of(sizes, self.training)
        # Clients with many steps first: those still at work in a step are then the first few of the stack.
        order = np.lexsort((-sizes, -counts))
        back = np.argsort(order)
        course = self._course(places[order], [shards[index] for index in order], self.training, self._settings.seed)
        given = self._round_of(places[order], sizes[order], course)
        algorithm = algorithm_of(self.strategy)(self.strategy, given)
        flat = self.starting_weights(places[order])
        weights = self.layout.views(flat)
        stack = course.ready(weights, algorithm.moving(list(self.basis.parameters)))
        self._carry_on(stack.optimizer, places[order])
        algorithm.begin(stack)
        losses, steps = course.train(stack)
        ended = algorithm.end(stack, steps)
        for name, buffer in stack.buffers.items():
            weights[name].copy_(buffer)
        again = torch.from_numpy(back)
        kept = stack.optimizer.state if self.training.optimizer_state == "client" else {}
        return Trained(
            flat=flat[again],
            losses=losses[back],
            sizes=sizes,
            steps=steps[back],
            state={name: tensor[again] for name, tensor in (kept | ended.state).items()},
            contributions={name: rows[again] for name, rows in ended.contributions.items()},
            metrics={name: values[back] for name, values in ended.metrics.items()},
        )

    def _course(self, places: Indices, shards: list[Indices], training: Training, seed: int) -> Course:
        """The course of the clients at `places`, in descending order of their steps and rows."""
        sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
        clients = self._order.blocks.clients[places]
        keys = seeds.streams(seed, "batches", self._order.round, clients)

        def warm_up(epochs: int) -> Course:
            shorter = training.model_copy(update={"epochs": epochs, "steps": None})
            return self._course(places, shards, shorter, seeds.key(seed, "warm-up"))

        return Course(
            ready=lambda weights, moving: self._prepare(weights, moving, places, sizes, training, seed),
            batches=lambda: batches(shards, training, keys, self.dtype),
            everything=lambda: batches(shards, self._once(training), keys, self.dtype),
            counts=steps_of(sizes, training),
            warm_up=warm_up,
        )

    def _once(self, training: Training) -> Training:
        """One pass, in large batches where what a batch is changes nothing but rounding."""
        size = training.batch_size
        if size != "full" and self._settings.model.normalization.name != "batch":
            size = max(size, _AT_ONCE)
        return training.model_copy(update={"epochs": 1, "steps": None, "batch_size": size})

    def _round_of(self, places: Indices, sizes: Indices, course: Course) -> OwnRound:
        chosen = torch.from_numpy(places)
        kept = {name: tensor[chosen] for name, tensor in self._kept.items()}
        fresh = np.ones(len(places), dtype=bool) if self._order.fresh is None else self._order.fresh[places]
        own = {
            name: {n: torch.from_numpy(np.array(a[places])) for n, a in arrays.items()}
            for name, arrays in self._order.own.items()
        }

        def losses(models: Weights) -> NDArray[np.float64]:
            evaluator = Evaluator(self._settings, self._order.agreement)
            clients = self._order.blocks.clients[places].tolist()
            return np.stack([training_losses(evaluator, self._prepared, self._rows, models, one) for one in clients])

        values = self._values(places)
        return OwnRound(self._order.records, own, kept, torch.from_numpy(fresh), course, values, sizes, losses)

    def _shards(self, places: Indices) -> list[Indices]:
        return [self._prepared.training_rows(int(client)) for client in self._order.blocks.clients[places]]

    def _prepare(
        self,
        weights: Weights,
        moving: Collection[str],
        places: Indices,
        sizes: Indices,
        training: Training,
        seed: int,
    ) -> Stack:
        """The stack of the clients at `places` that moves those of `weights` in place."""
        settings, number, clients = self._settings, self._order.round, self._order.blocks.clients[places]
        known = self.basis.parameters
        parameters = {name: weights[name] for name in known if name in moving}
        values = self._values(places)
        fills, names = self._rows.fills(clients), list(parameters)
        stopping = None
        if training.early_stopping is not None:
            holdout = [self._prepared.holdout_rows(int(client)) for client in clients]
            epochs = steps_per_epoch(sizes, training)
            stopping = EarlyStopping(
                training.early_stopping, self.network, self._loss, self._rows, holdout, fills, epochs
            )
        return Stack(
            network=self.network,
            parameters=parameters,
            fixed={name: weights[name] for name in known if name not in moving},
            # Copies: PyTorch would take a change in `flat` during a forward pass for one of the parameters.
            buffers={name: weights[name].clone() for name in self.basis.buffers},
            rows=self._rows,
            fills=fills,
            loss=self._loss,
            optimizer=implementation(training.optimizer)(values, parameters),
            rates=LearningRates(training, values, number, settings.rounds, steps_of(sizes, training), self.dtype),
            noise=Noise(settings.model, seed, number, clients),
            before=before_step(values, names),
            after=after_step(values, names),
            augment=Augment.of(self._pipeline, seed, number, clients),
            mixup=None if training.mixup is None else Mixup(training.mixup, seed, number, clients),
            stopping=stopping,
        )

    def own(self, flat: Tensor) -> Weights:
        """What clients go on with of their weights (stack, numbers), as it is kept: (stack, *shape)."""
        views = self.layout.views(flat)
        return as_kept({name: views[name] for name in self.basis.kept})

    def starting_weights(self, places: Indices) -> Tensor:
        """What the clients at `places` start from, (stack, numbers)."""
        if self._order.parameters:
            flat = self.layout.flatten(self._start, len(places))
        else:
            flat = torch.zeros(len(places), self.layout.size, dtype=self.dtype)
        own, views = own_arrays(self._kept), self.layout.views(flat)
        if self._order.fresh is not None and own:
            kept = torch.from_numpy(np.flatnonzero(~self._order.fresh[places]))
            for name in self.basis.kept:
                views[name][kept] = own[name][torch.from_numpy(places)][kept]
        starts = self._order.starts.among(places)
        for name, tensor in tensors(starts.weights).items():
            views[name][torch.from_numpy(starts.places)] = tensor.to(self.dtype)
        return flat

    def _values(self, places: Indices) -> Values:
        own = {name: torch.from_numpy(np.array(vector[places])) for name, vector in self._order.values.items()}
        return Values(self.training, {name: vector.to(self.dtype) for name, vector in own.items()})

    def _carry_on(self, optimizer: Optimizer, places: Indices) -> None:
        """Give the optimizer what its clients kept from their last round, where they keep it."""
        if self.training.optimizer_state != "client" or self._order.fresh is None:
            return
        kept = torch.from_numpy(np.flatnonzero(~self._order.fresh[places]))
        for name, tensor in optimizer.state.items():
            if name in self._kept:
                tensor[kept] = self._kept[name][torch.from_numpy(places)][kept]


def stack_width(parameters: int) -> int:
    """How many clients to train at once, from the model's size alone: small models 64, large ones 1."""
    return max(1, min(64, _NUMBERS // parameters))
