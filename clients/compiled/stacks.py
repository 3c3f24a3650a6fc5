"""Training a message's clients by the compiled trainer: the same in and out as with PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.compiled.library import Library
from clients.compiled.recipe import Members, loss_members, network_members, optimizer_members, state_names
from clients.compiled.seen import epochs
from clients.training.batches import steps_of, steps_per_epoch
from clients.training.inputs import Augment
from clients.training.schedules import LearningRates
from clients.training.stacks import Stacks, Trained
from clients.training.values import Values
from common import seeds
from common.data.prepared import Indices, Prepared, Shards
from common.messages import TrainOrder
from common.models import Weights
from common.scenario.registry import implementation

_NUMBERS = 1 << 24
"""How many parameters, and numbers in rows made for the call, its clients may have: bounds memory and time."""
_KINDS = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
"""What raw rows may be, in the order of the enumeration in kernel/work.h."""


class CompiledStacks(Stacks):
    """Trains the clients of one message, many in a call, one after the other."""

    def __init__(self, prepared: Prepared, order: TrainOrder, library: Library) -> None:
        super().__init__(prepared, order)
        self._library = library
        network = network_members(self.network, order.agreement.features)
        self._common = network | loss_members(self._settings, self.network, self._loss)
        one_for_all = not len(order.starts.places) and not self.basis.kept
        self._shared_start = self.starting_weights(np.zeros(1, np.int64)) if one_for_all else None
        raw = self._rows.raw()
        self._raw = raw if raw is not None and raw.x.dtype in _KINDS and raw.x.flags.c_contiguous else None

    def cut(self, blocks: list[slice]) -> Iterator[Indices]:
        """The places of the clients to train in one call, whatever their blocks: no client's bits depend on it."""
        places = np.arange(blocks[-1].stop)
        if self.training.stack:
            calls = places // self.training.stack
        else:
            numbers = np.full(len(places), self.layout.size)
            if self._pipeline or self._raw is None:
                known, sizes = self._prepared.clients, self._prepared.training_sizes
                at = np.searchsorted(known, self._order.blocks.clients).clip(max=len(known) - 1)
                numbers += sizes[at] * self._rows.features
            calls = np.cumsum(numbers) // _NUMBERS
        yield from np.split(places, np.flatnonzero(np.diff(calls)) + 1)

    def add(self, totals: Tensor, flat: Tensor, weights: NDArray[np.float64], owners: Indices) -> None:
        """totals[owners] += weights·flat, in place, client after client: no sum depends on how they are cut."""
        self._library.add(totals.numpy(), flat.numpy(), weights.astype(np.float32), owners)

    def train(self, places: Indices) -> Trained:
        """Train the clients at `places` of the message."""
        clients, values = self._order.blocks.clients[places], self._values(places)
        shards = self._prepared.training_shards(clients)
        counts = steps_of(shards.sizes, self.training)
        start = self.starting_weights(places) if self._shared_start is None else self._shared_start
        state = self._state(values, places)
        trained, losses = np.empty((len(places), self.layout.size), np.float32), np.zeros(len(places))
        work = {
            **self._common,
            **optimizer_members(self._settings, values, len(places)),
            **self._rates(values, counts),
            **self._draws(clients, shards.sizes, counts),
            **state,
            "clients": len(places),
            "batch": 0 if self.training.batch_size == "full" else self.training.batch_size,
            "steps": counts,
            "start": start.to(self.dtype).numpy(),
            "start_stride": 0 if len(start) < len(places) else self.layout.size,
            "trained": trained,
            "losses": losses,
        }
        if shards.sizes.min() < 1:
            raise IndexError("a client has no rows")
        _within(shards.rows, len(self._prepared.x), "rows")
        if self._pipeline:
            self._epoch_by_epoch(work, shards, clients, counts)
        else:
            self._train({**work, **self._rows_of(shards, clients), **self._targets(shards.rows)})
        kept = self._named_state(state, values, counts) if self._keeps else {}
        return Trained(torch.from_numpy(trained), losses / counts, shards.sizes, counts, kept)

    def _epoch_by_epoch(self, work: Members, shards: Shards, clients: Indices, counts: Indices) -> None:
        """Do the work on augmented rows, which are made anew for each epoch: each call goes on from the last."""
        augment = Augment.of(self._pipeline, self._settings.seed, self._order.round, clients)
        assert augment is not None
        fills, orders, losses = self._rows.fills(clients), work["order_keys"], np.zeros(len(clients))
        for epoch in epochs(shards, counts, self.training, orders, self._rows, fills, augment):
            rows = {"x": epoch.inputs, "kind": _KINDS.index(epoch.inputs.dtype), "rows": np.arange(len(epoch.rows))}
            span = {"starts": epoch.starts, "first": epoch.first, "steps": epoch.end, "losses": losses}
            self._train({**work, **rows, **span, **self._targets(epoch.rows), "order_keys": None})
            work["losses"] += np.where(epoch.end > epoch.first, losses, 0)
            work |= {"start": work["trained"], "start_stride": self.layout.size}

    def _train(self, work: Members) -> None:
        self._library.train(work, self._settings.fused)

    def _rates(self, values: Values, counts: Indices) -> Members:
        """Each client's learning rate in each step, or in all of them."""
        rates = LearningRates(self.training, values, self._order.round, self._settings.rounds, counts, self.dtype)
        steps = int(counts.max()) if any(spec.by == "step" for spec in self.training.schedule) else 1
        table = np.empty((len(counts), steps))
        for step in range(steps):
            table[:, step] = rates(step)
        return {"rates": table, "rate_steps": steps}

    def _targets(self, positions: Indices) -> Members:
        """The targets of rows. Raises IndexError for labels that do not exist."""
        targets, classes = self._rows.targets(torch.from_numpy(positions)).numpy(), self.network.output.classes
        if not classes:
            return {"targets": targets}
        _within(targets, classes, "labels")
        return {"labels": targets}

    def _rows_of(self, shards: Shards, clients: Indices) -> Members:
        """Where the clients' rows are."""
        starts, raw, fills = shards.starts(), self._raw, self._rows.fills(clients)
        if raw is not None:
            fill = raw.fill
            if fill is not None and fills is not None:
                fill = torch.where(fills.isnan(), fill, fills)
            named = {"fill": fill, "shift": raw.shift, "scale": raw.scale}
            members: Members = {name: None if part is None else part.numpy() for name, part in named.items()}
            members["fill_stride"] = raw.x.shape[1] if fill is not None and fill.dim() > 1 else 0
            return members | {"starts": starts, "x": raw.x, "kind": _KINDS.index(raw.x.dtype), "rows": shards.rows}
        rows = torch.from_numpy(shards.rows)
        parts = [rows] if fills is None else torch.split(rows, shards.sizes.tolist())
        seen = [
            self._rows.inputs(part[None], None if fills is None else fills[index : index + 1])[0]
            for index, part in enumerate(parts)
        ]
        x = torch.cat(seen).contiguous().numpy()
        return {"starts": starts, "x": x, "kind": _KINDS.index(x.dtype), "rows": np.arange(len(x))}

    def _draws(self, clients: Indices, sizes: Indices, counts: Indices) -> Members:
        """Keys for the orders of rows and for dropout."""
        seed, number = self._settings.seed, self._order.round
        members: Members = {"order_keys": seeds.streams(seed, "batches", number, clients)}
        epochs = -(-counts // steps_per_epoch(sizes, self.training))
        numbered = int(epochs.max())
        if self._common["dropout"].any():
            members["dropout_keys"] = seeds.streams(seed, "dropout", number, clients)
            numbered = max(int(counts.max()), self._common["layers"])
        return members | {"forks": seeds.marks(numbered)}

    @property
    def _keeps(self) -> bool:
        """Whether clients keep their optimizers' state from round to round."""
        return self.training.optimizer_state == "client" and self._order.fresh is not None

    def _state(self, values: Values, places: Indices) -> Members:
        """What the clients' optimizers carry on from their last round or, in several calls, from call to call."""
        if not self._keeps and not self._pipeline:
            return {}
        like = self.layout.views(torch.empty(len(places), self.layout.size, dtype=self.dtype))
        optimizer, members = implementation(self.training.optimizer)(values, like), Members()
        self._carry_on(optimizer, places)
        state = optimizer.state
        for index, kind in enumerate(state_names(self._settings, values)):
            own = {name: state[f"{kind}.{name}"] for name in like}
            members[f"state_{index}"] = self.layout.flatten(own, len(places)).numpy()
        if "steps" in state:
            members["taken"] = state["steps"].numpy()
        return members

    def _named_state(self, state: Members, values: Values, counts: Indices) -> Weights:
        """What they carry on to their next."""
        named: Weights = {}
        for index, kind in enumerate(state_names(self._settings, values)):
            views = self.layout.views(torch.from_numpy(state[f"state_{index}"]))
            named |= {f"{kind}.{name}": view for name, view in views.items()}
        if "taken" in state:
            named["steps"] = torch.from_numpy(state["taken"] + counts)
        return named


def _within(positions: NDArray[np.int64], count: int, what: str) -> None:
    if len(positions) and not 0 <= positions.min() <= positions.max() < count:
        raise IndexError(f"{what} beyond the {count} that there are")
