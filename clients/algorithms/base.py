"""What an algorithm may do to a stack of clients before and after its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.training.course import Course
from clients.training.trainer import Stack
from clients.training.values import Values
from common.arrays import Named
from common.data.prepared import Indices
from common.models import Weights


@dataclass(frozen=True)
class OwnRound:
    """What a stack's clients were sent and have kept, in the stack's order."""

    records: Mapping[str, Named]
    """Named arrays for all clients, such as a control variate."""
    own: Mapping[str, Weights]
    """Named arrays of each client, (stack, *shape)."""
    kept: Weights
    """What each client kept from its last round, (stack, *shape)."""
    fresh: Tensor
    """Which clients have kept nothing yet, (stack,)."""
    course: Course
    """What training means in this round, for algorithms that train further networks."""
    values: Values
    """Their training settings."""
    sizes: Indices
    """Their training rows, (stack,)."""
    training_losses: Callable[[Weights], NDArray[np.float64]]
    """Models (models, *shape) → each one's mean loss on each client's training rows: (stack, models)."""

    def kept_as(self, kind: str, like: Weights) -> Weights:
        """What each client kept under `kind`, named and shaped as `like`; zeros where it has kept nothing yet."""
        return {name: self.kept.get(f"{kind}.{name}", torch.zeros_like(tensor)) for name, tensor in like.items()}

    def record(self, kind: str) -> Weights:
        """Named arrays for all clients, as tensors (1, *shape)."""
        return {name: torch.from_numpy(np.array(array)).unsqueeze(0) for name, array in self.records[kind].items()}


@dataclass
class Ended:
    """What comes of a stack's round besides its weights."""

    state: Weights = field(default_factory=dict)
    """What each client keeps, (stack, *shape)."""
    contributions: dict[str, Tensor] = field(default_factory=dict)
    """What is added up over clients like their weights, flat: (stack, parameters), or with the buffers behind them."""
    metrics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """What the server is told of each client, (stack,); `weight` is what it counts for in sums, if that is its own."""


class Algorithm:
    """Plain local training: nothing before, nothing after."""

    def __init__(self, options: Any, given: OwnRound) -> None:
        self.options, self.given = options, given

    def moving(self, parameters: list[str]) -> list[str]:
        """Which of the parameters the round's training moves; the others stay as they are."""
        return parameters

    def begin(self, stack: Stack) -> None:
        """Prepare a stack: change its weights, add to what is done before and after each step."""

    def end(self, stack: Stack, steps: Indices) -> Ended:
        """Finish a trained stack; `steps` are those behind each client's weights, (stack,)."""
        return Ended()

    @staticmethod
    def own_model(models: Weights, own: Weights, training_losses: Callable[[], NDArray[np.float64]]) -> Weights:
        """A client's own model, (1, *shape): by default the global one with the client's own arrays in place.

        `models` (models, *shape) are the global one and those that `Strategy.candidates` gave, `own` the arrays
        (1, *shape) of its own model that the client has kept, none before it took part for the first time;
        `training_losses` finds each model's mean loss on the client's training rows, (models,).
        """
        return {name: tensor[:1] for name, tensor in models.items()} | own


def copied(weights: Weights) -> Weights:
    """The same numbers, which training does not change."""
    return {name: tensor.clone() for name, tensor in weights.items()}


def flattened(weights: Weights) -> Tensor:
    """Named tensors (stack, *shape) as rows (stack, parameters)."""
    return torch.cat([tensor.flatten(1) for tensor in weights.values()], dim=1)


def to_keep(kind: str, weights: Weights) -> Weights:
    """Named tensors as what `OwnRound.kept_as` finds again under `kind`."""
    return {f"{kind}.{name}": tensor for name, tensor in weights.items()}
