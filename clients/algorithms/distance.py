"""How far an optimizer goes in a round when every gradient is 1."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.algorithms.base import OwnRound
from clients.optimizers import OPTIMIZERS
from clients.training.trainer import Stack
from clients.training.values import Number

_NAME = "distance"


class Distance:
    """What a client's way is divided by to get its mean gradient.

    An optimizer that is linear in its gradients goes θ₀ − θ = Σₖ aₖ gₖ; the distance is ‖a‖₁ = Σₖ aₖ (Wang et al.
    2020, section 3.2). Plain SGD's is the sum of its steps' learning rates; with momentum later gradients
    count for less. It is measured: a weight of each client's, beside its network's, is moved by gradients of 1.
    """

    def __init__(self, stack: Stack, given: OwnRound) -> None:
        first = next(iter(stack.parameters.values()))
        self._weight = first.new_zeros(len(first), 1)
        optimizer = OPTIMIZERS[given.values["optimizer.name"]](given.values, {_NAME: self._weight})

        def go(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
            optimizer.step(active, [self._weight[:active]], [torch.ones_like(self._weight[:active])], lr)

        stack.after = [*stack.after, go]
        stack.tally[_NAME] = self._weight

    def each(self) -> Tensor:
        """Each client's distance, (stack,)."""
        return -self._weight[:, 0]
