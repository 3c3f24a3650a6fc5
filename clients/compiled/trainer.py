"""Training a message's clients by the compiled trainer: the same in and out as with PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import steps_of, steps_per_epoch
from clients.compiled.augmented_epochs import epochs
from clients.compiled.kernel_arguments import Members, loss_members, network_members, optimizer_members, state_names
from clients.compiled.library import Library
from clients.training.inputs import Augment
from clients.training.job import TrainedClients, TrainJob
from clients.training.schedules import LearningRates
from common import seeds
from common.data.prepared import Indices, Shards
from common.models import MLP, Weights
from common.scenario.training import Training

_NUMBERS = 1 << 24
"""How many parameters, and numbers in examples made for the call, its clients may have: bounds memory and time."""
_KINDS = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
"""What raw examples may be, in the order of the enumeration in kernel/work.h."""


class CompiledTrainer:
    """Trains many clients in a call, one after the other."""

    def __init__(self, job: TrainJob, library: Library) -> None:
        self._job, self._order, self._basis, self._library = job, job.order, job.basis, library
        mlp = job.basis.network
        assert isinstance(mlp, MLP), "the compiled trainer trains MLPs"
        network = network_members(mlp, job.order.data_spec.features)
        self._common = network | loss_members(job.settings, mlp, job.basis.objective.loss)
        one_for_all = not len(job.order.starts.places) and not job.basis.kept
        self._shared_start = job.starting_weights(np.zeros(1, np.int64)) if one_for_all else None
        raw = job.basis.examples.raw()
        self._raw = raw if raw is not None and raw.x.dtype in _KINDS and raw.x.flags.c_contiguous else None

    def cut(self, blocks: list[slice]) -> Iterator[Indices]:
        """The places of the clients to train in one call, whatever their blocks: no client's bits depend on it."""
        places = np.arange(blocks[-1].stop)
        if self._job.training.stack:
            calls = places // self._job.training.stack
        else:
            numbers = np.full(len(places), self._job.layout.size)
            if self._basis.pipeline or self._raw is None:
                known, sizes = self._job.prepared.clients, self._job.prepared.training_sizes
                at = np.searchsorted(known, self._order.blocks.clients).clip(max=len(known) - 1)
                numbers += sizes[at] * self._basis.examples.features
            calls = np.cumsum(numbers) // _NUMBERS
        yield from np.split(places, np.flatnonzero(np.diff(calls)) + 1)

    def add(self, totals: Tensor, flat: Tensor, weights: NDArray[np.float64], owners: Indices) -> None:
        """totals[owners] += weights·flat, in place, client after client: no sum depends on how they are cut."""
        self._library.add(totals.numpy(), flat.numpy(), weights.astype(np.float32), owners)

    def train(self, places: Indices) -> TrainedClients:
        """Train the clients at `places` of the message."""
        clients, training = self._order.blocks.clients[places], self._job.training_of(places)
        shards = self._job.prepared.training_shards(clients)
        counts = steps_of(shards.sizes, self._job.training)
        start = self._job.starting_weights(places) if self._shared_start is None else self._shared_start
        carried, state = self._state(training, places)
        trained, losses = np.empty((len(places), self._job.layout.size), np.float32), np.zeros(len(places))
        work = {
            **self._common,
            **optimizer_members(training, len(places)),
            **self._rates(training, counts),
            **self._draws(clients, shards.sizes, counts),
            **carried,
            "clients": len(places),
            "batch": 0 if self._job.training.batch_size == "full" else self._job.training.batch_size,
            "steps": counts,
            "start": start.to(self._job.dtype).numpy(),
            "start_stride": 0 if len(start) < len(places) else self._job.layout.size,
            "trained": trained,
            "losses": losses,
        }
        if shards.sizes.min() < 1:
            raise IndexError("a client has no examples")
        _check_bounds(shards.positions, len(self._job.prepared.x), "rows")
        if self._basis.pipeline:
            self._epoch_by_epoch(work, shards, clients, counts)
        else:
            self._train({**work, **self._inputs(shards, clients), **self._targets(shards.positions)})
        kept = self._named_state(carried, state, training, counts) if self._job.optimizers_carry_on else {}
        return TrainedClients(torch.from_numpy(trained), losses / counts, shards.sizes, counts, kept)

    def _epoch_by_epoch(self, work: Members, shards: Shards, clients: Indices, counts: Indices) -> None:
        """Do the work on augmented examples, which are made anew for each epoch: each call continues from the last."""
        augment = Augment.of(self._basis.pipeline, self._job.settings.seed, self._order.round, clients)
        assert augment is not None
        fills, orders, losses = self._basis.examples.fills(clients), work["order_keys"], np.zeros(len(clients))
        for epoch in epochs(shards, counts, self._job.training, orders, self._basis.examples, fills, augment):
            inputs = {
                "x": epoch.inputs,
                "kind": _KINDS.index(epoch.inputs.dtype),
                "rows": np.arange(len(epoch.positions)),
            }
            span = {"starts": epoch.starts, "first": epoch.first, "steps": epoch.end, "losses": losses}
            self._train({**work, **inputs, **span, **self._targets(epoch.positions), "order_keys": None})
            work["losses"] += np.where(epoch.end > epoch.first, losses, 0)
            work |= {"start": work["trained"], "start_stride": self._job.layout.size}

    def _train(self, work: Members) -> None:
        self._library.train(work, self._job.settings.fused)

    def _rates(self, training: Training, counts: Indices) -> Members:
        """Each client's learning rate in each step, or in all of them."""
        rates = LearningRates(training, self._order.round, self._job.settings.rounds, counts, self._job.dtype)
        steps = int(counts.max()) if any(spec.by == "step" for spec in self._job.training.schedule) else 1
        table = np.empty((len(counts), steps))
        for step in range(steps):
            table[:, step] = rates(step)
        return {"rates": table, "rate_steps": steps}

    def _targets(self, positions: Indices) -> Members:
        """The targets of examples. Raises IndexError for labels that do not exist."""
        targets, classes = (
            self._basis.examples.targets(torch.from_numpy(positions)).numpy(),
            self._basis.network.output.classes,
        )
        if not classes:
            return {"targets": targets}
        _check_bounds(targets, classes, "labels")
        return {"labels": targets}

    def _inputs(self, shards: Shards, clients: Indices) -> Members:
        """Where the clients' examples are."""
        starts, raw, fills = shards.starts(), self._raw, self._basis.examples.fills(clients)
        if raw is not None:
            fill = raw.fill
            if fill is not None and fills is not None:
                fill = torch.where(fills.isnan(), fill, fills)
            named = {"fill": fill, "shift": raw.shift, "scale": raw.scale}
            members: Members = {name: None if part is None else part.numpy() for name, part in named.items()}
            members["fill_stride"] = raw.x.shape[1] if fill is not None and fill.dim() > 1 else 0
            return members | {"starts": starts, "x": raw.x, "kind": _KINDS.index(raw.x.dtype), "rows": shards.positions}
        positions = torch.from_numpy(shards.positions)
        parts = [positions] if fills is None else torch.split(positions, shards.sizes.tolist())
        seen = [
            self._basis.examples.inputs(part[None], None if fills is None else fills[index : index + 1])[0]
            for index, part in enumerate(parts)
        ]
        x = torch.cat(seen).contiguous().numpy()
        return {"starts": starts, "x": x, "kind": _KINDS.index(x.dtype), "rows": np.arange(len(x))}

    def _draws(self, clients: Indices, sizes: Indices, counts: Indices) -> Members:
        """Keys for the orders of examples and for dropout."""
        seed, number = self._job.settings.seed, self._order.round
        members: Members = {"order_keys": seeds.streams(seed, "batches", number, clients)}
        epochs = -(-counts // steps_per_epoch(sizes, self._job.training))
        numbered = int(epochs.max())
        if self._common["dropout"].any():
            members["dropout_keys"] = seeds.streams(seed, "dropout", number, clients)
            numbered = max(int(counts.max()), self._common["layers"])
        return members | {"forks": seeds.marks(numbered)}

    def _state(self, training: Training, places: Indices) -> tuple[Members, Weights]:
        """What the clients' optimizers carry on from their last round or, in several calls, from call to call.

        As the kernel takes it, and as PyTorch's half of the optimizer has it.
        """
        if not self._job.optimizers_carry_on and not self._basis.pipeline:
            return {}, {}
        like = self._job.layout.views(torch.empty(len(places), self._job.layout.size, dtype=self._job.dtype))
        state, members = training.optimizer.begin(like), Members()
        self._job.restore_optimizer_state(state, places)
        for index, kind in enumerate(state_names(training)):
            flat = state.get(kind)
            if flat is None:
                flat = self._job.layout.flatten({name: state[f"{kind}.{name}"] for name in like}, len(places))
            members[f"state_{index}"] = flat.numpy()
        if "steps" in state:
            members["taken"] = state["steps"].numpy()
        return members, state

    def _named_state(self, carried: Members, state: Weights, training: Training, counts: Indices) -> Weights:
        """What they carry on to their next."""
        named: Weights = {}
        for index, kind in enumerate(state_names(training)):
            flat = torch.from_numpy(carried[f"state_{index}"])
            views = self._job.layout.views(flat)
            named |= {kind: flat} if kind in state else {f"{kind}.{name}": view for name, view in views.items()}
        if "taken" in carried:
            named["steps"] = torch.from_numpy(carried["taken"] + counts)
        return named


def _check_bounds(positions: NDArray[np.int64], count: int, what: str) -> None:
    if len(positions) and not 0 <= positions.min() <= positions.max() < count:
        raise IndexError(f"{what} beyond the {count} that there are")
