"""Adam and AdamW, as in torch.optim (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2).

m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
θ ← θ − η m̂ / (√v̂ + ε)
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.training.values import Number, Values, along, descend
from common.models import Weights


class Adam:
    """β₁ is `optimizer.beta1`, β₂ `optimizer.beta2`, ε `optimizer.eps`; t counts each client's own steps."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._beta1, self._beta2, self._eps = (values[f"optimizer.{name}"] for name in ("beta1", "beta2", "eps"))
        self._names = list(weights)
        stack = len(next(iter(weights.values())))
        self.state = {f"{kind}.{name}": torch.zeros_like(weights[name]) for kind in ("m", "v") for name in weights}
        self.state["steps"] = torch.zeros(stack, dtype=torch.float64)

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        steps = self.state["steps"][:active]
        steps += 1
        dtype = weights[0].dtype
        # Bias corrections in float64: 1 − βᵗ is a small difference of near numbers.
        length = along(lr, active, steps) / (1 - along(self._beta1, active, steps) ** steps)
        root = (1 - along(self._beta2, active, steps) ** steps).sqrt().to(dtype)
        for name, weight, gradient in zip(self._names, weights, gradients, strict=True):
            m, v = self.state[f"m.{name}"][:active], self.state[f"v.{name}"][:active]
            beta1, beta2 = along(self._beta1, active, m), along(self._beta2, active, v)
            # In place, the gradient as scratch: new tensors of a network's size cost more than what is done to them.
            m.lerp_(gradient, 1 - beta1)
            v.lerp_(gradient.square_(), 1 - beta2)
            below = torch.sqrt(v, out=gradient).div_(along(root, active, v)).add_(along(self._eps, active, v))
            descend(weight, torch.div(m, below, out=below), length.to(dtype), active)


class AdamW(Adam):
    """Adam after θ ← θ − η λ θ; λ is `optimizer.weight_decay`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        super().__init__(values, weights)
        self._decay = values["optimizer.weight_decay"]

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        for weight in weights:
            weight.mul_(1 - along(lr, active, weight) * along(self._decay, active, weight))
        super().step(active, weights, gradients, lr)
