"""The optimizers: a class for each `training.optimizer`. g is the gradient that a client gives, η its rate."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from clients.values import Values, descend
from common.extend.client import Number, along
from common.models import Weights


class Optimizer(Protocol):
    """Steps a stack of models, each client by its own gradients and constants."""

    state: dict[str, Tensor]
    """What is carried from step to step: name → (stack, …)."""

    def __init__(self, values: Values, weights: Weights) -> None:
        """`values` gives the constants under `optimizer.`, `weights` the stack's tensors (stack, *shape)."""
        ...

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape).

        `lr` is the learning rate of this step, one for all or each client's, (stack,).
        """
        ...


class Sgd:
    """v ← μ v + g (v ← g at first), θ ← θ − η v; Nesterov: θ ← θ − η (g + μ v), as torch.optim.SGD.

    μ is `optimizer.momentum`.
    """

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


class AdaGrad:
    """G ← G + g², θ ← θ − η g / (√G + ε), as torch.optim.Adagrad (Duchi, Hazan and Singer 2011).

    ε is `optimizer.eps`, G before the first step `optimizer.initial`.
    """

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


class RmsProp:
    """E ← γ E + (1 − γ) g², v ← μ v + g / (√E + ε), θ ← θ − η v, as torch.optim.RMSprop (Hinton 2012, lecture 6).

    γ is `optimizer.decay`, ε `optimizer.eps`, μ `optimizer.momentum`.
    """

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


class Adam:
    """m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η m̂ / (√v̂ + ε), as torch.optim.Adam.

    m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ) (Kingma and Ba 2015, algorithm 1). β₁ is `optimizer.beta1`,
    β₂ `optimizer.beta2`, ε `optimizer.eps`; t counts each client's own steps.
    """

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
    """Adam after θ ← θ − η λ θ (Loshchilov and Hutter 2019, algorithm 2); λ is `optimizer.weight_decay`."""

    def __init__(self, values: Values, weights: Weights) -> None:
        super().__init__(values, weights)
        self._decay = values["optimizer.weight_decay"]

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        for weight in weights:
            weight.mul_(1 - along(lr, active, weight) * along(self._decay, active, weight))
        super().step(active, weights, gradients, lr)
