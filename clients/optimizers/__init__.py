"""The optimizers: a class for each `training.optimizer`."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from clients.values import Values
from common.extend.client import Number
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
