"""The optimizers: `OPTIMIZERS` maps each `training.optimizer.name` to its class.

A new optimizer is one file here, one line in `OPTIMIZERS` and one class in `common.scenario.optimizers`.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from clients.optimizers.adagrad import AdaGrad
from clients.optimizers.adam import Adam, AdamW
from clients.optimizers.momentum import AveragedMomentum, Momentum
from clients.optimizers.rmsprop import RmsProp
from clients.optimizers.sgd import Sgd
from clients.training.values import Number, Values
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


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "averaged_momentum": AveragedMomentum,
    "adagrad": AdaGrad,
    "rmsprop": RmsProp,
    "adam": Adam,
    "adamw": AdamW,
}
