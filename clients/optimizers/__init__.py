"""The optimizers: `OPTIMIZERS` maps each `training.optimizer.name` to its class.

A new optimizer is one file here, one line in `OPTIMIZERS` and one class in `common.scenario.optimizers`.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from clients.optimizers.sgd import Sgd
from clients.values import Values
from common.models import Weights


class Optimizer(Protocol):
    """Steps a stack of models, each client by its own gradients and constants."""

    state: dict[str, Tensor]
    """What is carried from step to step, zeros at first: name → (stack, …)."""

    def __init__(self, values: Values, weights: Weights) -> None:
        """`values` gives the constants under `optimizer.`, `weights` the stack's tensors (stack, *shape)."""
        ...

    def step(self, active: int, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Change the weights of the first `active` clients in place: tensors (active, *shape)."""
        ...


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
}
