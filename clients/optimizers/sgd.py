"""Stochastic gradient descent with momentum, as in torch.optim.SGD.

v ← μ v + g    (v ← g in the first step)
θ ← θ − η v
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.values import Values, along
from common.models import Weights


class Sgd:
    """η is `optimizer.lr`, μ is `optimizer.momentum`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._lr, self._momentum = values["optimizer.lr"], values["optimizer.momentum"]
        self.state: dict[str, Tensor] = {}
        if isinstance(self._momentum, Tensor) or self._momentum:
            # From zero velocity, μ·0 + g is the first step's g.
            self.state = {f"velocity.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        steps = gradients
        if self.state:
            steps = [velocity[:active] for velocity in self.state.values()]
            for velocity, gradient in zip(steps, gradients, strict=True):
                velocity.mul_(along(self._momentum, active, velocity)).add_(gradient)
        for weight, step in zip(weights, steps, strict=True):
            lr = along(self._lr, active, weight)
            if isinstance(lr, Tensor):
                weight.addcmul_(step, lr, value=-1)
            else:
                weight.add_(step, alpha=-lr)
