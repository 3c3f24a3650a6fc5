"""How far an optimizer goes in a round when every gradient is 1."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.regularization.weights import decay
from clients.training.trainer import Stack
from common.scenario.training import Training
from common.stacks import Number

_NAME = "step sizes"


class SummedStepSize:
    """What a client's way is divided by to get its mean gradient.

    An optimizer that is linear in its gradients goes θ₀ − θ = Σₖ aₖ gₖ; this is ‖a‖₁ = Σₖ aₖ (Wang et al.
    2020, section 3.2). Plain SGD's is the sum of its steps' learning rates; with momentum later gradients
    count for less. So do earlier ones with decoupled weight decay, by which θₖ − θ₀ shrinks while the gradient gains
    λθ₀ (section 4.2 has the like for FedProx). It is measured: a weight of each client's, beside its network's, is
    moved by gradients of 1.
    """

    def __init__(self, stack: Stack, training: Training) -> None:
        first = next(iter(stack.parameters.values()))
        self._weight = first.new_zeros(len(first), 1)
        optimizer, state = training.optimizer, training.optimizer.begin({_NAME: self._weight})
        shrink = decay(training.regularization.weight_decay, [0])

        def go(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
            own = self._weight[:active]
            shrink(active, [own], [own], lr)
            optimizer.step(state, active, {_NAME: own}, [torch.ones_like(own)], lr)

        stack.after = [*stack.after, go]
        stack.tally[_NAME] = self._weight

    def each(self) -> Tensor:
        """Each client's, (stack,)."""
        return -self._weight[:, 0]
