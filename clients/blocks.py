"""Training blocks of clients: stack after stack, the results added up where they were computed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import batches, steps_of
from clients.faults import Faults
from clients.optimizers import OPTIMIZERS, Optimizer
from clients.trainer import train_stack
from clients.values import Values
from common import seeds
from common.arrays import Named, tensors
from common.data.gather import Rows
from common.data.prepared import Indices, Prepared
from common.losses import loss_for
from common.messages import TrainOrder, TrainReply
from common.models import DTYPES, MLP, Layout, blank
from common.settings import ClientSettings, read_settings

_STACK_NUMBERS = 1 << 20
"""How many parameters a stack may have in all: what stays in a core's cache with its gradients."""


def train_blocks(prepared: Prepared, order: TrainOrder, faults: Faults | None = None) -> TrainReply:
    """Train the clients of each block and add up their weights, each times its client's rows.

    Stacks are cut within a block, in cohort order, and sums run in that order: which blocks a message carries
    together changes no bit. A client whose training raises an error, or whose weights are no longer finite,
    is left out and named.
    """
    return _Training(prepared, order, faults or Faults()).reply()


class _Training:
    """One message's work: what all of its blocks share, and what comes back for each client."""

    def __init__(self, prepared: Prepared, order: TrainOrder, faults: Faults) -> None:
        self.order, self.prepared, self.faults = order, prepared, faults
        self.settings: ClientSettings = read_settings(order.settings)
        self.training = self.settings.training
        agreement, model = order.agreement, self.settings.model
        self.network: MLP = blank(model, agreement.features, agreement.outputs)
        self.layout = Layout.of(self.network)
        self.dtype = DTYPES[model.dtype]
        self.rows = Rows(prepared, agreement, self.dtype)
        self.loss = loss_for(self.training.loss, agreement.task)
        self.start, self.kept = tensors(order.parameters), tensors(order.state)
        self.metrics: dict[str, NDArray[np.float64]] = {
            name: np.zeros(len(order.blocks.clients)) for name in ("examples", "steps", "train_loss")
        }
        self.state: Named = {}
        self.excluded: dict[int, str] = {}

    def reply(self) -> TrainReply:
        """Everything the server gets back."""
        blocks = [self._block(part) for part in self.order.blocks.slices()]
        sums = torch.stack([total for total, _ in blocks])
        return TrainReply(
            blocks=self.order.blocks,
            weights=np.array([weight for _, weight in blocks]),
            sums={"parameters": {name: view.numpy() for name, view in self.layout.views(sums).items()}},
            metrics=dict(self.metrics),
            excluded=self.excluded,
            state=self.state,
        )

    def _block(self, part: slice) -> tuple[Tensor, float]:
        """The weighted sum of a block's trained weights, (parameters,), and its total weight."""
        total, weight = torch.zeros(self.layout.size, dtype=self.dtype), 0.0
        width = self.training.stack or stack_width(self.layout.size)
        for first in range(part.start, part.stop, width):
            places = np.arange(first, min(first + width, part.stop))
            for trained, weights in self._survivors(places):
                total += weights.to(self.dtype) @ trained
                weight += float(weights.sum())
        return total, weight

    def _survivors(self, places: Indices) -> list[tuple[Tensor, Tensor]]:
        """Train a stack; where that raises an error, train its clients one by one to find whose it is."""
        try:
            return [self._stack(places)]
        except Exception as error:
            if len(places) == 1:
                client = int(self.order.blocks.clients[places[0]])
                self.excluded[client] = f"its training raised {type(error).__name__}: {error}"
                return []
        return [one for place in places for one in self._survivors(np.array([place]))]

    def _stack(self, places: Indices) -> tuple[Tensor, Tensor]:
        """Train the clients at `places` of the message: weights (stack, parameters) and rows (stack,)."""
        clients = self.order.blocks.clients[places]
        self.faults.before(self.order.round, clients)
        shards = [self.prepared.training_rows(int(client)) for client in clients]
        sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
        counts = steps_of(sizes, self.training)
        # Clients with many steps first: those still at work in a step are then the first few of the stack.
        order = np.argsort(-counts, kind="stable")
        flat = self._starting_weights(places[order])
        optimizer = self._optimizer(flat, places[order])
        keys = seeds.streams(self.settings.seed, "batches", self.order.round, clients[order])
        steps = batches([shards[index] for index in order], self.training, keys, self.dtype)
        losses = train_stack(self.network, flat, self.rows, steps, self.loss, optimizer)
        back = torch.from_numpy(np.argsort(order))
        flat, losses = flat[back], losses[back]
        self.faults.after(self.order.round, clients, flat)
        usable = self._finite(places, flat)
        self.metrics["examples"][places] = sizes * usable
        self.metrics["steps"][places] = counts
        self.metrics["train_loss"][places] = losses.double().numpy() / counts
        if self.order.fresh is not None:
            self._keep(places, {name: tensor[back] for name, tensor in optimizer.state.items()})
        return flat, torch.from_numpy(sizes * usable).double()

    def _finite(self, places: Indices, flat: Tensor) -> NDArray[np.bool_]:
        """Which clients' weights are finite; the others are named, and zeros take their weights' place."""
        finite = torch.isfinite(flat).all(dim=1)
        for place in places[~finite.numpy()]:
            client = int(self.order.blocks.clients[place])
            self.excluded[client] = "its weights became infinite or NaN in training"
        flat[~finite] = 0.0
        found: NDArray[np.bool_] = finite.numpy()
        return found

    def _starting_weights(self, places: Indices) -> Tensor:
        start = self.start
        if self.order.per_client:
            chosen = torch.from_numpy(places)
            start = {name: tensor[chosen] for name, tensor in start.items()}
        return self.layout.flatten(start, len(places))

    def _optimizer(self, flat: Tensor, places: Indices) -> Optimizer:
        """The optimizer of a stack, with what its clients kept from their last round where they keep it."""
        chosen = torch.from_numpy(places)
        own = {name: torch.from_numpy(np.array(vector[places])) for name, vector in self.order.values.items()}
        values = Values(self.training, {name: vector.to(self.dtype) for name, vector in own.items()})
        optimizer = OPTIMIZERS[self.training.optimizer.name](values, self.layout.views(flat))
        for name, tensor in optimizer.state.items():
            if name in self.kept:
                tensor.copy_(self.kept[name][chosen])
        return optimizer

    def _keep(self, places: Indices, state: dict[str, Tensor]) -> None:
        clients = len(self.order.blocks.clients)
        for name, tensor in state.items():
            rows = self.state.setdefault(name, np.zeros((clients, *tensor.shape[1:]), tensor.numpy().dtype))
            rows[places] = tensor.numpy()


def stack_width(parameters: int) -> int:
    """How many clients to train at once, from the model's size alone: small models 64, large ones 1."""
    return max(1, min(64, _STACK_NUMBERS // parameters))
