"""RMSProp, as in torch.optim.RMSprop (Hinton 2012, lecture 6).

E ← γ E + (1 − γ) g²
v ← μ v + g / (√E + ε)
θ ← θ − η v
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.values import Values, descend
from common.extend.client import Number, along
from common.models import Weights


class RmsProp:
    """γ is `optimizer.decay`, ε `optimizer.eps`, μ `optimizer.momentum`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._decay, self._eps = values["optimizer.decay"], values["optimizer.eps"]
        self._momentum = values["optimizer.momentum"]
        self._names = list(weights)
        kinds = ["squares", *(["velocity"] if values.used("optimizer.momentum") else [])]
        self.state = {f"{kind}.{name}": torch.zeros_like(weights[name]) for kind in kinds for name in weights}

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        for name, weight, gradient in zip(self._names, weights, gradients, strict=True):
            squares = self.state[f"squares.{name}"][:active]
            decay = along(self._decay, active, squares)
            squares.mul_(decay).add_((1 - decay) * gradient**2)
            step = gradient / (squares.sqrt() + along(self._eps, active, squares))
            if f"velocity.{name}" in self.state:
                velocity = self.state[f"velocity.{name}"][:active]
                step = velocity.mul_(along(self._momentum, active, velocity)).add_(step)
            descend(weight, step, lr, active)
