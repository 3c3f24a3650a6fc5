"""The clients' half of a method: what a stack of clients does before, during and after its training.

A stack is many clients whose networks advance together: tensors have a first dimension, (stack, …), one entry for each.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.devices import CPU, to_device
from common.models import Network, Weights
from common.scenario.registry import implementation
from common.scenario.strategy import StrategyPart
from common.scenario.training import Training
from common.stacks import Number

StepHook = Callable[[int, list[Tensor], list[Tensor], Number], None]
"""(active, weights, gradients, learning rate) → None: changes tensors (active, *shape) in place."""


class Batch(Protocol):
    """One step of a stack: the first `active` clients still train, the others have finished."""

    @property
    def active(self) -> int:
        """How many clients still train."""

    @property
    def shares(self) -> Tensor:
        """Each example's share of its client's mean loss, (active, batch size); 0 where a batch is padded."""


@dataclass
class Proximal:
    """Pulls weights θ towards an origin: g ← g + λ (θ − origin) before penalties and clipping.

    That is the gradient of (λ/2)‖θ − origin‖².
    """

    origin: Weights
    """One for all clients, (1, *shape), or each client's, (stack, *shape)."""
    strength: float
    """λ."""
    follow: float = 0.0
    """After each batch origin ← origin + follow·(θ − origin), in place; needs an origin for each client."""


LossTerm = Callable[[Any, Tensor, Tensor | None], Tensor]
"""(batch, inputs, what the last hidden layer makes of them) → what each client's loss has added, (active,)."""


class Stack(Protocol):
    """A stack of clients ready to be trained, in descending order of their steps."""

    network: Network
    parameters: Weights
    """The clients' weights, (stack, *shape); training moves them in place."""
    buffers: Weights
    """Their running statistics, likewise."""
    fixed: Weights
    """Weights that have a part in forward passes and are not trained, likewise."""
    alike: bool
    """Whether all clients start from the same weights."""
    proximal: Proximal | None
    """What pulls the weights somewhere."""
    control: Weights | None
    """What is added to gradients after penalties and clipping, (1, *shape) or (stack, *shape)."""
    repeats: int
    """How many steps of the optimizer are taken on each batch."""
    before: Sequence[StepHook]
    """What is done to gradients before a step of the optimizer. This and what follows needs PyTorch's trainer."""
    after: Sequence[StepHook]
    """What is done to weights after it."""
    term: LossTerm | None
    """What is added to the loss."""
    tally: Weights
    """What is kept count of from step to step, (stack, …)."""


class LocalTraining(Protocol):
    """What training in this round means for a stack's clients, whichever networks they train.

    Every network that is trained sees the same batches and the same dropout.
    """

    def ready(self, weights: Weights, moving: Collection[str]) -> Stack:
        """A stack of parameters and running statistics (stack, *shape), with a fresh optimizer.

        Of the parameters those named in `moving` are trained, in place; the others have a part in forward passes.
        """

    def train(self, stack: Any) -> tuple[NDArray[np.float64], Indices]:
        """Train a stack in place: each client's mean batch loss, and the steps behind its weights, (stack,)."""

    def warm_up(self, epochs: int) -> LocalTraining:
        """Training of this many epochs that comes before this one, with draws of its own."""


@dataclass(frozen=True)
class ClientContext:
    """What a stack's clients were sent and have kept, in the stack's order."""

    records: Mapping[str, NamedArrays]
    """Named arrays for all clients, such as a control variate."""
    own: Mapping[str, Weights]
    """Named arrays of each client, (stack, *shape)."""
    kept: Weights
    """What each client kept from its last round, (stack, *shape)."""
    fresh: Tensor
    """Which clients have kept nothing yet, (stack,)."""
    training: Training
    """The scenario's options of training."""
    local: LocalTraining
    """Trains further networks as the round's are trained."""
    sizes: Indices
    """Their training examples, (stack,)."""
    training_losses: Callable[[Weights], NDArray[np.float64]]
    """Models (models, *shape) → each one's mean loss on each client's training examples: (stack, models)."""
    objective_gradients: Callable[[Any], Weights]
    """A stack → the gradient of each client's whole objective at its weights, over all its training examples."""
    summed_step_size: Callable[[Indices], Tensor]
    """Each client's steps (stack,) → how far its optimizer goes in them when every gradient is 1, (stack,)."""
    device: torch.device = CPU
    """Where the stack's tensors are; all of these are there."""

    def kept_as(self, kind: str, like: Weights) -> Weights:
        """What each client kept under `kind`, named and shaped as `like`; zeros where it has kept nothing yet."""
        return {name: self.kept.get(f"{kind}.{name}", torch.zeros_like(tensor)) for name, tensor in like.items()}

    def record(self, kind: str) -> Weights:
        """Named arrays for all clients, as tensors (1, *shape)."""
        arrays = {name: torch.from_numpy(np.array(array)).unsqueeze(0) for name, array in self.records[kind].items()}
        return {name: to_device(tensor, self.device) for name, tensor in arrays.items()}


@dataclass(frozen=True)
class ClientUpdate:
    """What comes of a stack's round besides its weights."""

    state: Weights = field(default_factory=dict)
    """What each client keeps, (stack, *shape)."""
    contributions: dict[str, Tensor] = field(default_factory=dict)
    """What is added up over clients like their weights, flat: (stack, parameters), or with the buffers behind them."""
    metrics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """What the server is told of each client, (stack,); `weight` is what it counts for in sums, if that is its own."""


class ClientAlgorithm:
    """Plain local training: nothing before, nothing after."""

    def __init__(self, options: Any, context: ClientContext) -> None:
        self.options, self.context = options, context

    def parameters_to_train(self, parameters: list[str]) -> list[str]:
        """Which of the parameters the round's training moves; the others stay as they are."""
        return parameters

    def begin(self, stack: Stack) -> None:
        """Prepare a stack: change its weights, add to what is done before and after each step."""

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """Finish a trained stack; `steps` are those behind each client's weights, (stack,)."""
        return ClientUpdate()

    @staticmethod
    def own_model(models: Weights, own: Weights, training_losses: Callable[[], NDArray[np.float64]]) -> Weights:
        """A client's own model, (1, *shape): by default the global one with the client's own arrays in place.

        `models` (models, *shape) are the global one and those that `Strategy.candidates` gave, `own` the arrays
        (1, *shape) of its own model that the client has kept, none before it took part for the first time;
        `training_losses` finds each model's mean loss on the client's training examples, (models,).
        """
        return {name: tensor[:1] for name, tensor in models.items()} | own


class ClientLoop(ClientAlgorithm):
    """Trains one client after the other, each in an ordinary loop of PyTorch's. Its part sets `own_loop = True`.

    PyTorch's, NumPy's and Python's global generators are set from the run's seed, the round and the client meanwhile,
    so that results repeat whatever is drawn from them.
    """

    @abstractmethod
    def train(self, model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
        """Train a client's model in place on its batches, epoch after epoch; returns its mean loss.

        A batch is its inputs (examples, features) and targets: class codes (examples,), or (examples, targets).
        """


def client_algorithm(strategy: StrategyPart) -> type[ClientAlgorithm]:
    """The clients' half of a method: plain local training where it declares none."""
    found: type[ClientAlgorithm] = ClientAlgorithm
    return implementation(strategy, "client") if "client" in strategy.halves else found


def clone(weights: Weights) -> Weights:
    """The same numbers, which training does not change."""
    return {name: tensor.clone() for name, tensor in weights.items()}


def starting_weights(stack: Stack) -> Weights:
    """A copy of the parameters before training: (1, *shape) where the clients start alike, else (stack, *shape)."""
    return {name: (tensor[:1] if stack.alike else tensor).clone() for name, tensor in stack.parameters.items()}


def whole_network(stack: Stack) -> Weights:
    """All arrays of the stack's networks, trained or not, in the network's order: (stack, *shape) each."""
    found = stack.parameters | stack.fixed | stack.buffers
    return {name: found[name] for name in stack.network.arrays()}


def flatten(weights: Weights) -> Tensor:
    """Named tensors (stack, *shape) as rows (stack, parameters)."""
    return torch.cat([tensor.flatten(1) for tensor in weights.values()], dim=1)


def as_state(kind: str, weights: Weights) -> Weights:
    """Named tensors as what `ClientContext.kept_as` finds again under `kind`."""
    return {f"{kind}.{name}": tensor for name, tensor in weights.items()}
