"""AdaGrad, as in torch.optim.Adagrad (Duchi, Hazan and Singer 2011).

G ← G + g²
θ ← θ − η g / (√G + ε)
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.values import Values, descend
from common.extend.client import Number, along
from common.models import Weights


class AdaGrad:
    """ε is `optimizer.eps`, G before the first step `optimizer.initial`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._eps, initial = values["optimizer.eps"], values["optimizer.initial"]
        self.state = {
            f"squares.{name}": torch.zeros_like(tensor) + along(initial, len(tensor), tensor)
            for name, tensor in weights.items()
        }

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        for weight, gradient, whole in zip(weights, gradients, self.state.values(), strict=True):
            squares = whole[:active]
            squares.addcmul_(gradient, gradient)
            descend(weight, gradient / (squares.sqrt() + along(self._eps, active, squares)), lr, active)
