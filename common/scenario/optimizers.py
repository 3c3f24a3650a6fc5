"""The optimizers a client can train with: one class for each `training.optimizer.name`.

g is the gradient of a batch's mean loss and of the penalties, η the learning rate of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import model_validator

from common.scenario.base import Part, key, refuse
from common.scenario.registry import Family
from common.stacks import Number, along, descend, is_zero

if TYPE_CHECKING:
    # Reading options does without PyTorch; what is imported of it is imported when an optimizer begins.
    from torch import Tensor

    Weights = dict[str, Tensor]

OPTIMIZERS: Family[OptimizerPart] = Family("optimizers", in_steps=True)


class OptimizerPart(Part):
    """Steps a stack of models, each client by its own gradients and constants.

    While it trains, an option holds one number for every client or, in a scenario where clients have settings of their
    own, a tensor (stack,): `common.stacks` computes with either.
    """

    family: ClassVar[Family[OptimizerPart]] = OPTIMIZERS
    linear: ClassVar[bool] = False
    """Whether a client's path is a weighted sum of the gradients it is given."""

    name: str = ""
    lr: float = key("Learning rate.", 0.01, unit="per step", gt=0)

    def begin(self, weights: Weights) -> Weights:
        """What is carried from step to step, as it is before the first: name → (stack, …), of weights (stack, *shape).

        Clients with `training.optimizer_state: client` carry it from round to round.
        """
        return {}

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """Change the state and the weights of the first `active` clients in place: tensors (active, *shape).

        `state` has all clients'. `lr` is the learning rate of this step.
        """
        raise NotImplementedError


def _lr(default: float) -> float:
    rate: float = key("Learning rate.", default, unit="per step", gt=0)
    return rate


def _share(description: str, default: float) -> float:
    share: float = key(description, default, unit="fraction", ge=0, lt=1)
    return share


class Sgd(OptimizerPart, name="sgd", compiled=True):
    """Stochastic gradient descent, with momentum where wanted (torch.optim.SGD): v ← μv + g, θ ← θ − ηv."""

    linear: ClassVar[bool] = True

    lr: float = _lr(0.1)
    momentum: float = _share("Share of the last step's velocity that is kept.", 0.0)
    nesterov: bool = key("Step by g + μv in place of v (Nesterov's momentum).", False)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and not self.momentum:
            raise refuse("nesterov", "a momentum above 0 beside it")
        return self

    def begin(self, weights: Weights) -> Weights:
        """No velocity: μ·0 + g is the first step's g."""
        return {} if is_zero(self.momentum) else zeros("velocity", weights)

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """v ← μv + g, θ ← θ − ηv; Nesterov: θ ← θ − η(g + μv)."""
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            step = gradient
            if state:
                velocity = state[f"velocity.{name}"][:active]
                momentum = along(self.momentum, active, velocity)
                velocity.mul_(momentum).add_(gradient)
                step = gradient + momentum * velocity if self.nesterov else velocity
            descend(weight, step, lr, active)


class Momentum(OptimizerPart, name="momentum", compiled=True):
    """Classical momentum, the rate inside the velocity: v ← γv + ηg, θ ← θ − v."""

    linear: ClassVar[bool] = True

    lr: float = _lr(0.01)
    momentum: float = _share("γ, the share of the velocity that is kept.", 0.9)

    def begin(self, weights: Weights) -> Weights:
        """No velocity."""
        return zeros("velocity", weights)

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """v ← γv + ηg, θ ← θ − v: a rate that changes acts on new gradients only."""
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            velocity = state[f"velocity.{name}"][:active]
            velocity.mul_(along(self.momentum, active, velocity))
            descend(velocity, -gradient, lr, active)
            weight.sub_(velocity)


class AveragedMomentum(OptimizerPart, name="averaged_momentum", compiled=True):
    """Momentum as a running mean of gradients, from zero: v ← γv + (1−γ)g, θ ← θ − ηv."""

    linear: ClassVar[bool] = True

    lr: float = _lr(0.1)
    momentum: float = _share("γ, the share of the mean that is kept.", 0.9)

    def begin(self, weights: Weights) -> Weights:
        """A mean of zero."""
        return zeros("velocity", weights)

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """v ← γv + (1−γ)g, θ ← θ − ηv."""
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            velocity = state[f"velocity.{name}"][:active]
            rest: Any = 1 - along(self.momentum, active, velocity)
            velocity.lerp_(gradient, rest if isinstance(rest, float) else rest.expand_as(velocity))
            descend(weight, velocity, lr, active)


class AdaGrad(OptimizerPart, name="adagrad", compiled=True):
    """AdaGrad (Duchi et al. 2011; torch.optim.Adagrad): G ← G + g², θ ← θ − ηg/(√G + ε)."""

    lr: float = _lr(0.01)
    eps: float = key("ε.", 1e-10, unit="none", gt=0)
    initial: float = key("G before the first step.", 0.0, unit="none", ge=0)

    def begin(self, weights: Weights) -> Weights:
        """G as `initial` has it."""
        state = zeros("squares", weights)
        return {name: tensor + along(self.initial, len(tensor), tensor) for name, tensor in state.items()}

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """G ← G + g², θ ← θ − ηg/(√G + ε)."""
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            squares = state[f"squares.{name}"][:active]
            squares.addcmul_(gradient, gradient)
            descend(weight, gradient / (squares.sqrt() + along(self.eps, active, squares)), lr, active)


class RmsProp(OptimizerPart, name="rmsprop", compiled=True):
    """RMSProp (Hinton 2012; torch.optim.RMSprop): E ← γE + (1−γ)g², θ ← θ − ηg/(√E + ε)."""

    lr: float = _lr(0.01)
    decay: float = _share("γ, the share of the mean square that is kept.", 0.99)
    eps: float = key("ε.", 1e-8, unit="none", gt=0)
    momentum: float = _share("Share of the last step's velocity that is kept.", 0.0)

    def begin(self, weights: Weights) -> Weights:
        """E = 0, and no velocity."""
        return zeros("squares", weights) | ({} if is_zero(self.momentum) else zeros("velocity", weights))

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """E ← γE + (1−γ)g², v ← μv + g/(√E + ε), θ ← θ − ηv (Hinton 2012, lecture 6)."""
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            squares = state[f"squares.{name}"][:active]
            decay = along(self.decay, active, squares)
            squares.mul_(decay).add_((1 - decay) * gradient**2)
            step = gradient / (squares.sqrt() + along(self.eps, active, squares))
            if f"velocity.{name}" in state:
                velocity = state[f"velocity.{name}"][:active]
                step = velocity.mul_(along(self.momentum, active, velocity)).add_(step)
            descend(weight, step, lr, active)


class Adam(OptimizerPart, name="adam", compiled=True):
    """Adam (Kingma and Ba 2015, algorithm 1; torch.optim.Adam)."""

    lr: float = _lr(0.001)
    beta1: float = _share("β₁, the share of the mean that is kept.", 0.9)
    beta2: float = _share("β₂, the share of the mean square that is kept.", 0.999)
    eps: float = key("ε.", 1e-8, unit="none", gt=0)

    def begin(self, weights: Weights) -> Weights:
        """m and v, a row (stack, parameters) for all of a network's weights, and each client's own number of steps."""
        first = next(iter(weights.values()))
        numbers = sum(tensor[0].numel() for tensor in weights.values())
        moments = {name: first.new_zeros(len(first), numbers) for name in ("m", "v")}
        return moments | {"steps": first.new_zeros(len(first)).double()}

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − ηm̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)."""
        import torch

        m, v, steps = (state[name][:active] for name in ("m", "v", "steps"))
        steps += 1
        # Bias corrections in float64: 1 − βᵗ is a small difference of near numbers.
        root = (1 - along(self.beta2, active, steps) ** steps).sqrt()
        length = along(lr, active, steps) / (1 - along(self.beta1, active, steps) ** steps) * root
        # As √v̂ = √v / root, η m̂ / (√v̂ + ε) is length · m / (√v + ε root).
        least = (along(self.eps, active, steps) * root).to(v.dtype).unsqueeze(1)
        beta1, beta2 = along(self.beta1, active, m), along(self.beta2, active, v)
        v.mul_(beta2)
        sizes = [weight[0].numel() for weight in weights.values()]
        pieces = (rows.split_with_sizes(sizes, dim=1) for rows in (m, v))
        for gradient, own_m, own_v in zip((one.flatten(1) for one in gradients), *pieces, strict=True):
            own_m.lerp_(gradient, 1 - beta1)
            if isinstance(beta2, float):
                own_v.addcmul_(gradient, gradient, value=1 - beta2)
            else:
                own_v.addcmul_(gradient, gradient * (1 - beta2))
        below = v.sqrt().add_(least)
        direction = torch.div(m, below, out=below).mul_(length.to(v.dtype).unsqueeze(1))
        for weight, piece in zip(weights.values(), direction.split_with_sizes(sizes, dim=1), strict=True):
            weight.sub_(piece.view_as(weight))


class AdamW(Adam, name="adamw", compiled=True):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019; torch.optim.AdamW): first θ ← θ − ηλθ."""

    weight_decay: float = key("λ, of all parameters.", 0.01, unit="none", ge=0)

    def step(self, state: Weights, active: int, weights: Weights, gradients: list[Tensor], lr: Number) -> None:
        """θ ← θ − ηλθ (Loshchilov and Hutter 2019, algorithm 2), then Adam's step."""
        for weight in weights.values():
            weight.mul_(1 - along(lr, active, weight) * along(self.weight_decay, active, weight))
        super().step(state, active, weights, gradients, lr)


def zeros(kind: str, weights: Weights) -> Weights:
    """A state of zeros for each of the weights, named `kind.NAME`."""
    return {f"{kind}.{name}": tensor.new_zeros(tensor.shape) for name, tensor in weights.items()}


Optimizer = Annotated[OptimizerPart, OPTIMIZERS]
