"""The proximal term that several algorithms share."""

from __future__ import annotations

from torch import Tensor

from clients.regularization.change import Change
from clients.training.values import Number


def hold_near(origin: list[Tensor], strength: float) -> Change:
    """g ← g + λ (θ − origin) before each step: the gradient of (λ/2)‖θ − origin‖²; tensors (stack, *shape)."""

    def hold(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for weight, gradient, near in zip(weights, gradients, origin, strict=True):
            gradient.add_(weight - near[:active], alpha=strength)

    return hold
