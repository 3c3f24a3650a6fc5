"""Training blocks of clients: stack after stack, the results added up where they were computed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import batches, steps_of
from clients.trainer import train_stack
from clients.values import Values
from common import seeds
from common.arrays import Named, tensors
from common.data.gather import Rows
from common.data.prepared import Indices, Prepared
from common.losses import loss_for
from common.messages import TrainOrder, TrainReply
from common.models import DTYPES, MLP, Layout, blank
from common.scenario.training import Training
from common.settings import ClientSettings, read_settings

_STACK_NUMBERS = 1 << 20
"""How many parameters a stack may have in all: what stays in a core's cache with its gradients."""


def train_blocks(prepared: Prepared, order: TrainOrder) -> TrainReply:
    """Train the clients of each block and add up their weights, each times its client's rows.

    Stacks are cut within a block, in cohort order, and sums run in that order: which blocks a message carries
    together changes no bit. A client whose weights are no longer finite is left out and named.
    """
    return _Training(prepared, order).reply()


class _Training:
    """One message's work: what all of its blocks share."""

    def __init__(self, prepared: Prepared, order: TrainOrder) -> None:
        self.order, self.prepared = order, prepared
        self.settings: ClientSettings = read_settings(order.settings)
        agreement, model = order.agreement, self.settings.model
        self.network: MLP = blank(model, agreement.features, agreement.outputs)
        self.layout = Layout.of(self.network)
        self.dtype = DTYPES[self.settings.model.dtype]
        self.rows = Rows(prepared, agreement, self.dtype)
        self.loss = loss_for(self.settings.training.loss, agreement.task)
        self.start = tensors(order.parameters)
        self.metrics: dict[str, NDArray[np.float64]] = {
            name: np.zeros(len(order.blocks.clients)) for name in ("examples", "steps", "train_loss")
        }
        self.excluded: dict[int, str] = {}

    def reply(self) -> TrainReply:
        """Everything the server gets back."""
        blocks = [self._block(part) for part in self.order.blocks.slices()]
        sums = torch.stack([total for total, _ in blocks])
        return TrainReply(
            blocks=self.order.blocks,
            weights=np.array([weight for _, weight in blocks]),
            sums={"parameters": _named(self.layout, sums)},
            metrics=dict(self.metrics),
            excluded=self.excluded,
        )

    def _block(self, part: slice) -> tuple[Tensor, float]:
        """The weighted sum of a block's trained weights, (parameters,), and its total weight."""
        total, weight = torch.zeros(self.layout.size, dtype=self.dtype), 0.0
        width = self.settings.training.stack or stack_width(self.layout.size)
        for first in range(part.start, part.stop, width):
            places = np.arange(first, min(first + width, part.stop))
            trained, weights = self._stack(places)
            total += weights.to(self.dtype) @ trained
            weight += float(weights.sum())
        return total, weight

    def _stack(self, places: Indices) -> tuple[Tensor, Tensor]:
        """Train the clients at `places` of the message; their weights (stack, parameters) and rows (stack,)."""
        training, clients = self.settings.training, self.order.blocks.clients[places]
        shards = [self.prepared.training_rows(int(client)) for client in clients]
        sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
        # Clients with many steps first: those still at work in a step are then the first few of the stack.
        order = np.argsort(-steps_of(sizes, training), kind="stable")
        flat = self._starting_weights(places[order])
        keys = seeds.streams(self.settings.seed, "batches", self.order.round, clients[order])
        steps = batches([shards[index] for index in order], training, keys, self.dtype)
        losses = train_stack(self.network, flat, self.rows, steps, self.loss, self._values(training, places[order]))
        back = torch.from_numpy(np.argsort(order))
        flat, losses = flat[back], losses[back]
        return self._record(places, sizes, flat, losses)

    def _record(self, places: Indices, sizes: Indices, flat: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
        """Note each client's numbers; a client that diverged gets weight 0 and zeros in place of its weights."""
        steps = steps_of(sizes, self.settings.training)
        finite = torch.isfinite(flat).all(dim=1)
        for place, good in zip(places, finite.tolist(), strict=True):
            if not good:
                client = int(self.order.blocks.clients[place])
                self.excluded[client] = "its weights became infinite or NaN in training"
        usable = finite.numpy()
        self.metrics["examples"][places] = sizes * usable
        self.metrics["steps"][places] = steps
        self.metrics["train_loss"][places] = losses.double().numpy() / steps
        flat = torch.where(finite[:, None], flat, torch.zeros((), dtype=flat.dtype))
        return flat, torch.from_numpy(sizes * usable).double()

    def _starting_weights(self, places: Indices) -> Tensor:
        start = self.start
        if self.order.per_client:
            chosen = torch.from_numpy(places)
            start = {name: tensor[chosen] for name, tensor in start.items()}
        return self.layout.flatten(start, len(places))

    def _values(self, training: Training, places: Indices) -> Values:
        own = {
            name: torch.from_numpy(np.asarray(vector)[places]).to(self.dtype)
            for name, vector in self.order.values.items()
        }
        return Values(training, own)


def stack_width(parameters: int) -> int:
    """How many clients to train at once, from the model's size alone: small models 64, large ones 1."""
    return max(1, min(64, _STACK_NUMBERS // parameters))


def _named(layout: Layout, flat: Tensor) -> Named:
    return {name: view.numpy() for name, view in layout.views(flat).items()}
