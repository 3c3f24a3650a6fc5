"""The optimizers a client can train with: one class for each `training.optimizer.name`.

g is the gradient of a batch's mean loss and of the penalties; every constant may be a client's own.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import model_validator

from common.scenario.base import Part, key, refuse
from common.scenario.registry import Family

OPTIMIZERS: Family[OptimizerPart] = Family("optimizers", in_steps=True)


class OptimizerPart(Part):
    """What optimizers have in common."""

    family: ClassVar[Family[OptimizerPart]] = OPTIMIZERS
    linear: ClassVar[bool] = False
    """Whether the way it goes is a weighted sum of the gradients it is given."""

    name: str = ""
    lr: float = key("Learning rate.", 0.01, unit="per step", gt=0)


def _lr(default: float) -> float:
    rate: float = key("Learning rate.", default, unit="per step", gt=0)
    return rate


def _share(description: str, default: float) -> float:
    share: float = key(description, default, unit="fraction", ge=0, lt=1)
    return share


class Sgd(OptimizerPart, name="sgd", compiled=True, runs="clients.optimizers:Sgd"):
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


class Momentum(OptimizerPart, name="momentum", compiled=True, runs="clients.optimizers:Momentum"):
    """Classical momentum, the rate inside the velocity: v ← γv + ηg, θ ← θ − v."""

    linear: ClassVar[bool] = True

    lr: float = _lr(0.01)
    momentum: float = _share("γ, the share of the velocity that is kept.", 0.9)


class AveragedMomentum(
    OptimizerPart, name="averaged_momentum", compiled=True, runs="clients.optimizers:AveragedMomentum"
):
    """Momentum as a running mean of gradients, from zero: v ← γv + (1−γ)g, θ ← θ − ηv."""

    linear: ClassVar[bool] = True

    lr: float = _lr(0.1)
    momentum: float = _share("γ, the share of the mean that is kept.", 0.9)


class AdaGrad(OptimizerPart, name="adagrad", compiled=True, runs="clients.optimizers:AdaGrad"):
    """AdaGrad (Duchi et al. 2011; torch.optim.Adagrad): G ← G + g², θ ← θ − ηg/(√G + ε)."""

    lr: float = _lr(0.01)
    eps: float = key("ε.", 1e-10, unit="none", gt=0)
    initial: float = key("G before the first step.", 0.0, unit="none", ge=0)


class RmsProp(OptimizerPart, name="rmsprop", compiled=True, runs="clients.optimizers:RmsProp"):
    """RMSProp (Hinton 2012; torch.optim.RMSprop): E ← γE + (1−γ)g², θ ← θ − ηg/(√E + ε)."""

    lr: float = _lr(0.01)
    decay: float = _share("γ, the share of the mean square that is kept.", 0.99)
    eps: float = key("ε.", 1e-8, unit="none", gt=0)
    momentum: float = _share("Share of the last step's velocity that is kept.", 0.0)


class Adam(OptimizerPart, name="adam", compiled=True, runs="clients.optimizers:Adam"):
    """Adam (Kingma and Ba 2015, algorithm 1; torch.optim.Adam)."""

    lr: float = _lr(0.001)
    beta1: float = _share("β₁, the share of the mean that is kept.", 0.9)
    beta2: float = _share("β₂, the share of the mean square that is kept.", 0.999)
    eps: float = key("ε.", 1e-8, unit="none", gt=0)


class AdamW(OptimizerPart, name="adamw", compiled=True, runs="clients.optimizers:AdamW"):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019; torch.optim.AdamW): first θ ← θ − ηλθ."""

    lr: float = _lr(0.001)
    beta1: float = _share("β₁, the share of the mean that is kept.", 0.9)
    beta2: float = _share("β₂, the share of the mean square that is kept.", 0.999)
    eps: float = key("ε.", 1e-8, unit="none", gt=0)
    weight_decay: float = key("λ, of all parameters.", 0.01, unit="none", ge=0)


Optimizer = Annotated[OptimizerPart, OPTIMIZERS]
