"""Training a message's clients by the compiled trainer: the same in and out as with PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import steps_per_epoch
from clients.compiled.epochs import Span, augment_epoch, spans
from clients.compiled.kernel_arguments import (
    Members,
    loss_members,
    network_members,
    optimizer_members,
    state_names,
    trained_members,
)
from clients.compiled.library import Library
from clients.regularization.early_stopping import HoldoutLosses
from clients.regularization.mixup import Mixup
from clients.training.client_training import ClientTraining
from clients.training.inputs import Augment
from clients.training.job import TrainedClients, TrainJob
from clients.training.local_training import StackTraining
from clients.training.trainer import Stack
from common import seeds
from common.data.examples import ExampleReader
from common.data.prepared import Indices, Shards
from common.models import MLP, Weights

_NUMBERS = 1 << 24
"""How many parameters, and numbers in examples made for the call, its clients may have: bounds memory and time."""
_KINDS = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
"""What raw examples may be, in the order of the enumeration in kernel/work.h."""


class CompiledTrainer(ClientTraining):
    """Trains many clients in a call, one after the other."""

    def __init__(self, job: TrainJob, library: Library) -> None:
        super().__init__(job)
        self._library = library
        mlp = job.basis.network
        assert isinstance(mlp, MLP), "the compiled trainer trains MLPs"
        network = network_members(mlp, job.order.data_spec.features)
        self._common = network | loss_members(job.settings, mlp, job.basis.objective.loss)
        self._plain = "client" not in job.strategy.halves and job.training.early_stopping is None
        self._shared_start = job.starting_weights(np.zeros(1, np.int64)) if job.starts_alike else None
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
        """Train the clients at `places` of the message.

        Where their method asks for nothing beside it and they start alike, nothing is copied for each of them.
        """
        if not self._plain:
            return super().train(places)
        course = self._course(places, self._job.training, self._job.settings.seed)
        start = self._job.starting_weights(places) if self._shared_start is None else self._shared_start
        start = start.to(self._job.dtype)
        trained = torch.empty(len(places), self._job.layout.size, dtype=self._job.dtype)
        moving, state = list(self._basis.trained), Weights()
        if self._job.optimizers_carry_on or self._basis.pipeline:
            views = self._job.layout.views(trained)
            state = self._job.training_of(places).optimizer.begin({name: views[name] for name in moving})
            self._job.restore_optimizer_state(state, places)
        work = {
            **self._work(course, moving),
            "start": start.numpy(),
            "start_stride": 0 if len(start) < len(places) else self._job.layout.size,
            "trained": trained.numpy(),
        }
        losses = self._run(work, course, _State(state, moving, self._job))
        kept = state if self._job.optimizers_carry_on else {}
        return TrainedClients(trained, losses / course.counts, course.shards.sizes, course.counts, kept)

    def prepare(self, weights: Weights, moving: Collection[str], course: StackTraining) -> Stack:
        """As for PyTorch, without what the kernel does between the gradients and the weights, and without copies."""
        stack = super().prepare(weights, moving, course)
        return replace(stack, before=(), after=(), buffers={name: weights[name] for name in stack.buffers})

    def take_steps(self, stack: Stack, course: StackTraining) -> tuple[NDArray[np.float64], Indices]:
        """As for PyTorch. Raises TypeError for a method that asks for more than the kernel does."""
        if stack.before or stack.after or stack.term or stack.tally:
            raise TypeError(
                f"{type(self._job.strategy).__name__}: expected no compiled=True in its class statement, since its "
                "clients' half uses stack.before, after, term or tally, which only PyTorch's trainer does"
            )
        network, moving = stack.parameters | stack.fixed | stack.buffers, list(stack.parameters)
        flat = self._job.layout.joined(network)
        pull, origin = self._pull(stack)
        work = {
            **self._work(course, moving),
            **pull,
            "start": flat.numpy(),
            "start_stride": self._job.layout.size,
            "trained": flat.numpy(),
            "repeats": stack.repeats,
        }

        def write_back() -> None:
            _copy(self._job.layout.views(flat), network)
            if stack.proximal is not None and stack.proximal.follow:
                _copy(self._job.layout.parameters.views(origin), stack.proximal.origin)

        state, stopping = _State(stack.optimizer_state, moving, self._job), stack.stopping
        if stopping is None:
            losses = self._run(work, course, state)
            write_back()
            return losses / course.counts, course.counts

        def going(span: Span) -> NDArray[np.bool_]:
            write_back()
            ended = (span.end > span.first) & (span.end % steps_per_epoch(course.shards.sizes, course.training) == 0)
            stopping.look(np.flatnonzero(ended), stack.carried, span.end)
            return stopping.still_training(len(ended))

        stopping.begin(stack.carried)
        losses = self._run(work, course, state, going)
        steps = stopping.end(stack.carried, course.counts)
        return losses / stopping.steps_taken(course.counts), steps

    def holdout_losses(
        self, course: StackTraining, holdout: list[Indices], examples: ExampleReader, fills: Tensor | None
    ) -> HoldoutLosses:
        """As for PyTorch, in a call for all clients."""

        def losses(clients: Indices, carried: Weights) -> NDArray[np.float64]:
            networks = {name: carried[name][torch.from_numpy(clients)] for name in self._job.layout.shapes}
            chosen = self._order.blocks.clients[course.places[clients]]
            return self._measure(self._job.layout.joined(networks), Shards.of([holdout[c] for c in clients]), chosen)

        return losses

    def training_losses(self, course: StackTraining, models: Weights) -> NDArray[np.float64]:
        """As for PyTorch, in a call for each model."""
        clients = self._order.blocks.clients[course.places]
        each = self._job.layout.joined(self._cast(models))
        losses = [self._measure(each[model : model + 1], course.shards, clients) for model in range(len(each))]
        return np.stack(losses, axis=1)

    def _measure(self, networks: Tensor, shards: Shards, clients: Indices) -> NDArray[np.float64]:
        """The mean loss on each client's examples, (clients,), of networks (1, numbers) or (clients, numbers)."""
        losses, layers = np.zeros(len(clients)), self._common["layers"]
        work = {
            **self._common,
            **trained_members(self._basis.network, ()),
            **optimizer_members(self._job.training, len(clients)),
            **self._inputs(shards, clients),
            **self._targets(shards.positions),
            "measures": 1,
            "dropout": np.zeros(layers),
            "drop_connect": 0.0,
            "states": 0,
            "clipped": 0,
            "clients": len(clients),
            "steps": np.ones(len(clients), np.int64),
            "start": networks.numpy(),
            "start_stride": self._job.layout.size if len(networks) > 1 else 0,
            "losses": losses,
        }
        self._library.train(work)
        return losses

    def _pull(self, stack: Stack) -> tuple[Members, Tensor]:
        """What pulls weights and corrects gradients, and the origin's numbers, (1 or stack, parameters)."""
        layout, members, origin = self._job.layout.parameters, Members(), torch.empty(0)
        if stack.proximal is not None:
            origin = layout.joined(self._cast(stack.proximal.origin))
            members |= {"proximal": stack.proximal.strength, "follow": stack.proximal.follow}
            members |= {"origin": origin.numpy(), "origin_stride": layout.size if len(origin) > 1 else 0}
        if stack.control is not None:
            control = layout.joined(self._cast(stack.control))
            members |= {"control": control.numpy(), "control_stride": layout.size if len(control) > 1 else 0}
        return members | {"fused": 0} if members else members, origin

    def _cast(self, arrays: Weights) -> Weights:
        return {name: tensor.to(self._job.dtype) for name, tensor in arrays.items()}

    def _work(self, course: StackTraining, moving: Collection[str]) -> Members:
        """All but the numbers to begin with, and what is done to gradients beside the scenario's rules."""
        if course.shards.sizes.min() < 1:
            raise IndexError("a client has no examples")
        _check_bounds(course.shards.positions, len(self._job.prepared.x), "rows")
        training = self._job.training_of(course.places)
        members = {
            **self._common,
            **optimizer_members(training, len(course.places)),
            **trained_members(self._basis.network, moving),
            **self._draws(course),
            **self._step_rates(course),
            "clients": len(course.places),
            "batch": 0 if training.batch_size == "full" else training.batch_size,
            "steps": course.counts,
            "repeats": 1,
        }
        return members | ({"fused": 0} if members["drop_connect"] else {})

    def _run(
        self,
        work: Members,
        course: StackTraining,
        state: _State,
        going: Callable[[Span], NDArray[np.bool_]] | None = None,
    ) -> NDArray[np.float64]:
        """Do the work, epoch by epoch where examples are augmented or clients may stop: each client's summed loss.

        After an epoch `going` says which clients continue.
        """
        clients, shards = self._order.blocks.clients[course.places], course.shards
        augment = Augment.of(self._basis.pipeline, course.seed, self._order.round, clients)
        losses = np.zeros(len(clients))
        if augment is None:
            work |= self._inputs(shards, clients) | self._targets(shards.positions)
        if augment is None and going is None:
            carried = state.members() if self._job.optimizers_carry_on else {}
            self._library.train({**work, **carried, "losses": losses})
            if carried:
                state.take(course.counts * work["repeats"])
            return losses
        work |= state.members()
        fills, orders, left = self._basis.examples.fills(clients), work["order_keys"], course.counts.copy()
        for epoch, span in spans(shards, left, course.training):
            if augment is not None:
                seen = augment_epoch(epoch, span, shards, course.training, orders, self._basis.examples, fills, augment)
                work |= {"x": seen.inputs, "kind": _KINDS.index(seen.inputs.dtype), "starts": seen.starts}
                work |= {"rows": np.arange(len(seen.positions)), "order_keys": None, **self._targets(seen.positions)}
            of_epoch = np.zeros(len(clients))
            self._library.train({**work, "first": span.first, "steps": span.end, "losses": of_epoch})
            losses += of_epoch
            work |= {"start": work["trained"], "start_stride": self._job.layout.size}
            state.take((span.end - span.first) * work["repeats"])
            if going is not None:
                stopped = ~going(span)
                left[stopped] = span.end[stopped]
        return losses

    def _step_rates(self, course: StackTraining) -> Members:
        """Each client's learning rate in each step, or in all of them."""
        rates = self._rates(course)
        steps = int(course.counts.max()) if any(spec.by == "step" for spec in self._job.training.schedule) else 1
        table = np.empty((len(course.counts), steps))
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

    def _draws(self, course: StackTraining) -> Members:
        """Keys for the orders of examples, for dropout and for mixup."""
        clients, number, counts = self._order.blocks.clients[course.places], self._order.round, course.counts
        streams = {
            name: seeds.streams(course.seed, purpose, number, clients)
            for name, purpose in (("order_keys", "batches"), ("dropout_keys", "dropout"))
        }
        members: Members = dict(streams)
        numbered = int((-(-counts // steps_per_epoch(course.shards.sizes, course.training))).max())
        steps = max(int(counts.max()), self._common["layers"])
        if self._common["dropout"].any():
            numbered = steps
        if self._common["drop_connect"]:
            members["connection_keys"] = seeds.streams(course.seed, "drop connect", number, clients)
            numbered = steps
        if course.training.mixup is not None:
            mixup = Mixup(course.training.mixup, course.seed, number, clients)
            members |= {
                "mixup_keys": mixup.keys,
                "mixup": mixup.shares(int(counts.max())),
                "mixup_steps": int(counts.max()),
            }
            numbered = steps
        return members | {"forks": seeds.marks(numbered)}


class _State:
    """What optimizers carry, as PyTorch's half has it by name and as the kernel takes it."""

    def __init__(self, state: Weights, moving: Sequence[str], job: TrainJob) -> None:
        """`state` is that of the parameters `moving`."""
        self._state, self._moving, self._layout = state, moving, job.layout.parameters
        self._rows: dict[str, Tensor] = {}
        for kind in state_names(job.training):
            self._rows[kind] = self._layout.joined(self._named(kind)) if state else torch.empty(0)
        self._begun = state["steps"].clone() if "steps" in state else None

    def members(self) -> Members:
        """For the kernel, which changes them in place."""
        members: Members = {f"state_{index}": rows.numpy() for index, rows in enumerate(self._rows.values())}
        return members if self._begun is None else members | {"taken": self._begun.numpy()}

    def take(self, steps: Indices) -> None:
        """Take over what the kernel has changed in so many steps of each client."""
        for kind, rows in self._rows.items():
            _copy(self._layout.views(rows), self._named(kind))
        if "steps" in self._state:
            self._state["steps"] += torch.from_numpy(steps)

    def _named(self, kind: str) -> Weights:
        """Views of one kind's numbers, by parameter."""
        if kind not in self._state:
            return {name: self._state[f"{kind}.{name}"] for name in self._moving}
        rows, shapes = self._state[kind], self._layout.shapes
        pieces = rows.split_with_sizes([math.prod(shapes[name]) for name in self._moving], dim=1)
        return {name: piece.view(len(rows), *shapes[name]) for name, piece in zip(self._moving, pieces, strict=True)}


def _copy(source: Weights, target: Weights) -> None:
    """Copy what does not share its memory."""
    for name, tensor in target.items():
        if tensor.data_ptr() != source[name].data_ptr():
            tensor.copy_(source[name])


def _check_bounds(positions: NDArray[np.int64], count: int, what: str) -> None:
    if len(positions) and not 0 <= positions.min() <= positions.max() < count:
        raise IndexError(f"{what} beyond the {count} that there are")
