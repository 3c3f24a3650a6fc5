"""Stochastic gradient descent with momentum, as in torch.optim.SGD.

v ← μ v + g    (v ← g in the first step)
θ ← θ − η v    (Nesterov: θ ← θ − η (g + μ v))
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.values import Values, descend
from common.extend.client import Number, along
from common.models import Weights


class Sgd:
    """μ is `optimizer.momentum`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._momentum, self._nesterov = values["optimizer.momentum"], values["optimizer.nesterov"]
        self.state: dict[str, Tensor] = {}
        if values.used("optimizer.momentum"):
            # From zero velocity, μ·0 + g is the first step's g.
            self.state = {f"velocity.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        steps = gradients
        if self.state:
            steps = [velocity[:active] for velocity in self.state.values()]
            for index, (velocity, gradient) in enumerate(zip(steps, gradients, strict=True)):
                momentum = along(self._momentum, active, velocity)
                velocity.mul_(momentum).add_(gradient)
                if self._nesterov:
                    steps[index] = gradient + momentum * velocity
        for weight, step in zip(weights, steps, strict=True):
            descend(weight, step, lr, active)
