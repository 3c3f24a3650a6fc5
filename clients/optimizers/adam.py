"""Adam and AdamW, as in torch.optim (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2).

m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
θ ← θ − η m̂ / (√v̂ + ε)
"""

from __future__ import annotations

import torch
from torch import Tensor

from clients.values import Values
from common.extend.client import Number, along
from common.models import Weights


class Adam:
    """β₁ is `optimizer.beta1`, β₂ `optimizer.beta2`, ε `optimizer.eps`; t counts each client's own steps."""

    def __init__(self, values: Values, weights: Weights) -> None:
        self._beta1, self._beta2, self._eps = (values[f"optimizer.{name}"] for name in ("beta1", "beta2", "eps"))
        self._sizes = [tensor[0].numel() for tensor in weights.values()]
        first = next(iter(weights.values()))
        # Side by side in one matrix each: a network's tensors are moved together.
        self._m, self._v = first.new_zeros(2, len(first), sum(self._sizes))
        self.state = {
            f"{kind}.{name}": piece.view_as(weights[name])
            for kind, rows in (("m", self._m), ("v", self._v))
            for name, piece in zip(weights, self._pieces(rows), strict=True)
        }
        self.state["steps"] = torch.zeros(len(first), dtype=torch.float64)

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        steps = self.state["steps"][:active]
        steps += 1
        m, v = self._m[:active], self._v[:active]
        # Bias corrections in float64: 1 − βᵗ is a small difference of near numbers.
        root = (1 - along(self._beta2, active, steps) ** steps).sqrt()
        length = along(lr, active, steps) / (1 - along(self._beta1, active, steps) ** steps) * root
        # As √v̂ = √v / root, η m̂ / (√v̂ + ε) is length · m / (√v + ε root).
        least = (along(self._eps, active, steps) * root).to(v.dtype).unsqueeze(1)
        beta1, beta2 = along(self._beta1, active, m), along(self._beta2, active, v)
        v.mul_(beta2)
        flat = [gradient.flatten(1) for gradient in gradients]
        for gradient, own_m, own_v in zip(flat, self._pieces(m), self._pieces(v), strict=True):
            own_m.lerp_(gradient, 1 - beta1)
            if isinstance(beta2, Tensor):
                own_v.addcmul_(gradient, gradient * (1 - beta2))
            else:
                own_v.addcmul_(gradient, gradient, value=1 - beta2)
        below = v.sqrt().add_(least)
        direction = torch.div(m, below, out=below).mul_(length.to(v.dtype).unsqueeze(1))
        for weight, piece in zip(weights, self._pieces(direction), strict=True):
            weight.sub_(piece.view_as(weight))

    def _pieces(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The network's tensors in a matrix (clients, numbers), flat."""
        return rows.split_with_sizes(self._sizes, dim=1)


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
