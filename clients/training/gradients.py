"""The gradient of clients' whole objectives, over all that they train on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from clients.batches import Batch
from clients.regularization.weights import penalties, regularized_places
from clients.training.inputs import inputs_of
from clients.training.trainer import Stack
from common.data.prepared import Indices
from common.models import Weights
from common.scenario.training import Training
from common.stacks import along


@dataclass
class _NoDropout:
    """A step in which nothing is dropped."""

    shares: Tensor
    counts: Indices

    def drop_units(self, layer: int, x: Tensor) -> Tensor:
        """All units."""
        return x

    def drop_weights(self, layer: int, weight: Tensor) -> Tensor:
        """All weights."""
        return weight

    def streams(self) -> None:
        """Nothing is drawn."""


def objective_gradients(stack: Stack, batches: Iterable[Batch], training: Training) -> Weights:
    """∇ of each client's mean loss over the examples of `batches` and of its penalties, at its weights.

    One gradient for each of `stack.parameters`, (stack, *shape); zeros of the loss for a client without examples.
    Nothing is augmented, dropped, mixed or clipped. Batch normalization uses the statistics of each batch, as it does
    in training, and leaves the running ones alone.
    """
    totals = {name: torch.zeros_like(tensor) for name, tensor in stack.parameters.items()}
    weight = next(iter(totals.values())).new_zeros(len(next(iter(totals.values()))))
    for batch, x in inputs_of(batches, stack.examples, stack.fills, None):
        active = batch.active
        leaves = {name: tensor[:active].detach().requires_grad_() for name, tensor in stack.parameters.items()}
        others = {name: tensor[:active] for name, tensor in stack.fixed.items()}
        statistics = {name: tensor[:active].clone() for name, tensor in stack.buffers.items()}
        targets = stack.examples.targets(batch.positions)
        weights, step = leaves | others | statistics, _NoDropout(batch.shares, batch.counts)
        losses, _ = stack.objective.means(weights, x, targets, batch.shares, step)
        gradients = torch.autograd.grad(losses.sum(), list(leaves.values()))
        counts, real = stack.objective.counts(targets), (batch.shares > 0).to(weight.dtype)
        count = (real if counts is None else real * counts).sum(dim=1)
        weight[:active] += count
        for total, gradient in zip(totals.values(), gradients, strict=True):
            total[:active] += gradient * along(count, active, gradient)
    found = [
        total / along(weight.clamp(min=torch.finfo(weight.dtype).tiny), len(weight), total) for total in totals.values()
    ]
    for change in penalties(training, regularized_places(stack.network, training, totals)):
        change(len(weight), list(stack.parameters.values()), found, 0.0)
    return dict(zip(totals, found, strict=True))
