"""Local training of a stack: many clients' networks advance together, one tensor operation for all."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from clients.batches import Batch
from clients.optimizers import OPTIMIZERS
from clients.values import Values
from common.data.gather import Rows
from common.losses import Loss
from common.models import MLP, Layout


def train_stack(network: MLP, flat: Tensor, rows: Rows, steps: Iterable[Batch], loss: Loss, values: Values) -> Tensor:
    """Train every client of a stack in place, each on its own batches only.

    `flat` (stack, parameters) holds the clients' weights, in descending order of their steps. Returns the sum
    over steps of each client's mean batch loss, shape (stack,). Clients do not mix: a client's weights are
    what they would be had it been trained alone.
    """
    weights = Layout.of(network).views(flat)
    optimizer = OPTIMIZERS[values["optimizer.name"]](values, weights)
    losses = flat.new_zeros(len(flat))
    for batch in steps:
        now = {name: tensor[: batch.active].detach().requires_grad_() for name, tensor in weights.items()}
        outputs = network.forward_stack(now, rows.inputs(batch.rows))
        each = (loss(outputs, rows.targets(batch.rows)) * batch.weights).sum(dim=1)
        leaves = list(now.values())
        gradients = torch.autograd.grad(each.sum(), leaves)
        with torch.no_grad():
            losses[: batch.active] += each.detach()
            optimizer.step(batch.active, leaves, list(gradients))
    return losses
