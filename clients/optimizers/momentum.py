"""Momentum in the two forms that differ from PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.values import Values, descend
from common.extend.client import Number, along
from common.models import Weights


class Momentum:
    """v ← γ v + η g, θ ← θ − v: a rate that changes acts on new gradients only. γ is `optimizer.momentum`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._momentum = values["optimizer.momentum"]
        self.state = {f"velocity.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        for weight, gradient, whole in zip(weights, gradients, self.state.values(), strict=True):
            velocity = whole[:active]
            velocity.mul_(along(self._momentum, active, velocity))
            descend(velocity, -gradient, lr, active)
            weight.sub_(velocity)


class AveragedMomentum:
    """v ← γ v + (1 − γ) g from v = 0, θ ← θ − η v. γ is `optimizer.momentum`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._momentum = values["optimizer.momentum"]
        self.state = {f"velocity.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        for weight, gradient, whole in zip(weights, gradients, self.state.values(), strict=True):
            velocity = whole[:active]
            velocity.lerp_(gradient, _rest(along(self._momentum, active, velocity), velocity))
            descend(weight, velocity, lr, active)


def _rest(share: Number, like: Tensor) -> Number:
    return (1 - share).expand_as(like) if isinstance(share, Tensor) else 1 - share
