"""Local training of a stack: many clients' networks advance together, one tensor operation for all."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from clients.batches import Batch
from clients.optimizers import Optimizer
from common.data.gather import Rows
from common.losses import Loss
from common.models import MLP, Layout


def train_stack(
    network: MLP, flat: Tensor, rows: Rows, steps: Iterable[Batch], loss: Loss, optimizer: Optimizer
) -> Tensor:
    """Train every client of a stack in place, each on its own batches only.

    `flat` (stack, parameters) holds the clients' weights, in descending order of their steps. Returns the sum
    over steps of each client's mean batch loss, shape (stack,). Clients do not mix: a client's weights are
    what they would be had it been trained alone.
    """
    weights = Layout.of(network).views(flat)
    losses = flat.new_zeros(len(flat))
    active, leaves = 0, {}
    for batch in steps:
        if batch.active != active:
            # The leaves share the stack's memory: the optimizer's steps move the weights themselves.
            active = batch.active
            leaves = {name: tensor[:active].requires_grad_() for name, tensor in weights.items()}
        outputs = network.forward_stack(leaves, rows.inputs(batch.rows))
        each = (loss(outputs, rows.targets(batch.rows)) * batch.weights).sum(dim=1)
        moving = list(leaves.values())
        gradients = torch.autograd.grad(each.sum(), moving)
        with torch.no_grad():
            losses[:active] += each
            optimizer.step(active, moving, list(gradients))
    return losses
