"""Training blocks of clients: stack after stack, the results added up where they were computed."""

from __future__ import annotations

import traceback

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.blocks.faults import Faults
from clients.blocks.trainers import make_trainer
from clients.training.job import TrainedClients, TrainJob
from clients.training.privacy import Clipping
from common.arrays import NamedArrays
from common.data.prepared import Indices, Prepared
from common.devices import without_deterministic_form
from common.messages import BUFFERS, PRIVACY, TrainOrder, TrainReply
from common.models import Weights
from common.personal import own_arrays
from common.scenario.user_file import line_in_user_file

_WEIGHTS = "weights"
"""The kind of a network's whole weights among what is summed."""


def train_blocks(prepared: Prepared, order: TrainOrder, faults: Faults | None = None) -> TrainReply:
    """Train the clients of each block and add up their weights, each times its client's examples.

    Stacks are cut within a block, in cohort order, and sums run in that order: which blocks a message carries
    together changes no bit. A client whose training raises an error, or whose weights are no longer finite,
    is left out and named. Where a card's memory does not hold a stack, nothing comes back but how wide it was.
    """
    try:
        return _Blocks(prepared, order, faults or Faults()).reply()
    except _TooWide as error:
        return TrainReply(order.blocks, np.zeros(len(order.blocks.sizes)), too_wide=error.clients)


class _TooWide(Exception):
    """A card's memory does not hold a stack of so many clients."""

    def __init__(self, clients: int) -> None:
        super().__init__(clients)
        self.clients = clients


class _Blocks:
    """One message's work: what comes back for its blocks and for each of their clients."""

    def __init__(self, prepared: Prepared, order: TrainOrder, faults: Faults) -> None:
        self.order, self.faults = order, faults
        self.job = TrainJob(prepared, order)
        self.trainer = make_trainer(self.job)
        self.metrics: NamedArrays = {
            name: np.zeros(len(order.blocks.clients)) for name in ("examples", "steps", "train_loss")
        }
        blocks = len(order.blocks.sizes)
        self.block_of = np.repeat(np.arange(blocks), order.blocks.sizes)
        self.sums = {_WEIGHTS: torch.zeros(blocks, self.job.layout.size, dtype=self.job.dtype)}
        """Each block's weighted sums by kind, (blocks, numbers) each, and the weights behind them."""
        self.weights = np.zeros(blocks)
        self.state: NamedArrays | None = None if order.fresh is None else {}
        self.excluded: dict[int, str] = {}
        self.keeps_each = self.job.strategy.needs_client_updates
        self.clipping = Clipping(order, self.job.basis.settings.seed) if PRIVACY in order.records else None
        self.flat = torch.zeros(
            len(order.blocks.clients) if self.keeps_each else 0, self.job.layout.size, dtype=self.job.dtype
        )

    def reply(self) -> TrainReply:
        """Everything the server gets back."""
        for places in self.trainer.cut(self.order.blocks.slices()):
            for survivors, rows, weights in self._survivors(places):
                self._add(self.block_of[survivors], rows, weights)
                # The next stack's weights take their place in the cache.
                rows.clear()
        sums: dict[str, NamedArrays] = {}
        for kind, totals in self.sums.items():
            sums |= self._named(kind, totals)
        return TrainReply(
            blocks=self.order.blocks,
            weights=self.weights,
            sums=sums,
            rows=self._named(_WEIGHTS, self.flat) if self.keeps_each else {},
            metrics=self.metrics,
            excluded=self.excluded,
            state=self.state,
        )

    def _named(self, kind: str, flat: Tensor) -> dict[str, NamedArrays]:
        """Flat rows by name: parameters and, where a row holds a network's whole weights, its buffers.

        What clients keep to themselves is left out.
        """
        basis, whole = self.job.basis, self.job.layout
        layout = whole if flat.shape[1] == whole.size else whole.parameters
        named = {name: view.numpy() for name, view in layout.views(flat).items() if name not in basis.personal}
        parameters, buffers = ("parameters", BUFFERS) if kind == _WEIGHTS else (kind, f"{kind}.{BUFFERS}")
        kinds = {
            parameters: {name: named[name] for name in basis.parameters if name in named},
            buffers: {name: named[name] for name in basis.buffers if name in named},
        }
        return {kind: arrays for kind, arrays in kinds.items() if arrays}

    def _add(self, blocks: Indices, rows: dict[str, Tensor], weights: NDArray[np.float64]) -> None:
        """Add each client's rows (stack, numbers), by kind, to the sums of its block, times its weight, (stack,)."""
        for kind, flat in rows.items():
            if kind not in self.sums:
                self.sums[kind] = torch.zeros(len(self.weights), flat.shape[1], dtype=flat.dtype)
            self.trainer.add(self.sums[kind], flat, weights, blocks)
        np.add.at(self.weights, blocks, weights)

    def _survivors(self, places: Indices) -> list[tuple[Indices, dict[str, Tensor], NDArray[np.float64]]]:
        """Train a stack; where that raises an error, train its clients one by one to find whose it is."""
        try:
            return [(places, *self._stack(places))]
        except torch.OutOfMemoryError as error:
            if len(places) > 1:
                raise _TooWide(len(places)) from error
            client = int(self.order.blocks.clients[places[0]])
            self.excluded[client] = f"a card's memory does not hold its training: {error}".replace("\n", " ")
            return []
        except Exception as error:
            if len(places) == 1:
                client = int(self.order.blocks.clients[places[0]])
                self.excluded[client] = self._describe_error(error)
                return []
        return [one for place in places for one in self._survivors(np.array([place]))]

    def _describe_error(self, error: Exception) -> str:
        """What went wrong, in a line; the first time it went wrong so, with the traceback below it."""
        where = line_in_user_file(error)
        if operation := without_deterministic_form(error):
            return (
                f"its network uses {operation}, which has no deterministic form on a card; "
                "exchange it, or train on the processor (training.device: cpu)"
            )
        reason = f"its training raised {type(error).__name__}: {error}".replace("\n", " ") + (
            f" ({where})" if where else ""
        )
        again = any(told.startswith(reason) for told in self.excluded.values())
        return reason if again else reason + "\n" + "".join(traceback.format_exception(error))

    def _stack(self, places: Indices) -> tuple[dict[str, Tensor], NDArray[np.float64]]:
        """Train the clients at `places` of the message: what is summed, (stack, numbers), and weights (stack,)."""
        clients = self.order.blocks.clients[places]
        self.faults.before(self.order.round, clients)
        trained = self.trainer.train(places)
        parameters = self.job.layout.parameters.size
        self.faults.after(
            self.order.round, clients, trained.flat, lambda: self.job.starting_weights(places), parameters
        )
        usable = self._finite(places, trained)
        if self.clipping is not None:
            trained.metrics["unclipped"] = self.clipping(clients, trained.flat, self.job.starting_weights(places))
        for contribution in trained.contributions.values():
            contribution[torch.from_numpy(usable == 0)] = 0.0
        self.metrics["examples"][places] = trained.sizes * usable
        self.metrics["steps"][places] = trained.steps
        self.metrics["train_loss"][places] = trained.losses
        for name, values in trained.metrics.items():
            self.metrics.setdefault(name, np.zeros(len(self.order.blocks.clients)))[places] = values
        if self.state is not None:
            self._keep(self.state, places, trained.state | self.job.own(trained.flat))
        if self.keeps_each:
            self.flat[torch.from_numpy(places)] = trained.flat
        return {_WEIGHTS: trained.flat} | trained.contributions, np.where(usable, self._counts(trained), 0.0)

    def _counts(self, trained: TrainedClients) -> NDArray[np.float64]:
        """What each client counts for in sums, (stack,)."""
        match self.job.basis.settings.weighting:
            case "examples":
                return trained.sizes.astype(np.float64)
            case "clients":
                return np.ones(len(trained.sizes))
            case "custom":
                return trained.metrics["weight"]

    def _finite(self, places: Indices, trained: TrainedClients) -> Indices:
        """1 for clients whose weights are finite, and their own models', if they keep some.

        The others are named, and zeros take their weights' place.
        """
        finite, flat = np.ones(len(places), dtype=np.int64), trained.flat
        own = [tensor.flatten(1) for tensor in own_arrays(trained.state).values()]
        for rows, whose in [(flat, "its weights"), *((rows, "its own model's weights") for rows in own)]:
            # A sum is finite only if all that it adds up is.
            for row in np.flatnonzero(~np.isfinite(rows.sum(dim=1).numpy())).tolist():
                if not torch.isfinite(rows[row]).all() and finite[row]:
                    client = int(self.order.blocks.clients[places[row]])
                    self.excluded[client] = f"{whose} became infinite or NaN in training"
                    flat[row], finite[row] = 0.0, 0
        return finite

    def _keep(self, state: NamedArrays, places: Indices, kept: Weights) -> None:
        clients = len(self.order.blocks.clients)
        for name, tensor in kept.items():
            rows = state.setdefault(name, np.zeros((clients, *tensor.shape[1:]), tensor.numpy().dtype))
            rows[places] = tensor.numpy()
