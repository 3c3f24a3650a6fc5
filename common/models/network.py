"""What every network offers to those that train and measure it: many at once, each with its own weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from common import seeds
from common.data.prepared import Indices
from common.models.layout import Weights
from common.models.outputs import Output
from common.scenario.model import ModelPart

_NORMALIZATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Step(Protocol):
    """What makes a forward pass in training differ from one in use."""

    shares: Tensor
    """Each example's share of its network's batch, (stack, examples); 0 for padding."""

    counts: Indices
    """How many examples each network's batch has, (stack,); padding stands behind them."""

    def drop_units(self, layer: int, x: Tensor) -> Tensor:
        """The units (stack, examples, units) behind layer `layer` with some dropped; layer −1 are the inputs."""
        ...

    def drop_weights(self, layer: int, weight: Tensor) -> Tensor:
        """A dense layer's weights (stack, units, inputs) with some dropped."""
        ...

    def streams(self) -> seeds.Streams | None:
        """What each network draws from in this step, (stack,); None where nothing is drawn."""
        ...


class Network(nn.Module):
    """A network whose weights are named arrays, for training many with the same shape."""

    spec: ModelPart
    output: Output
    """What its outputs mean: logits for a classification, numbers for a regression."""
    stacks: bool = True
    """Whether a stack of networks is one operation; else they are better trained one by one."""
    own_loss: bool = False
    """Whether it brings a loss, which takes the scenario's place."""
    own_metrics: tuple[str, ...] = ()
    """The names of metrics that it brings; means over examples, of which less is better."""
    has_features: bool = False
    """Whether what its last hidden layer, or its `features`, makes of examples is known."""

    @property
    @abstractmethod
    def numbers_per_example(self) -> int:
        """About how many numbers a forward pass keeps of an example for its gradients."""

    def place(self, device: torch.device) -> None:
        """Move what it needs besides its weights to where its stacks are trained."""

    def arrays(self) -> Weights:
        """Its parameters and, behind them, its running statistics; they share its memory."""
        return {name: tensor.detach() for name, tensor in (*self.named_parameters(), *self.named_buffers())}

    def regularized(self, biases: bool) -> set[str]:
        """The parameters that penalties, budgets and weight decay act on: all but biases and normalizations' own.

        With `biases` those of other layers than normalizations are among them. A module whose attribute `regularized`
        is False has none.
        """
        return {
            f"{path}.{name}".removeprefix(".")
            for path, module in self.named_modules()
            if not isinstance(module, _NORMALIZATIONS) and getattr(module, "regularized", True) is not False
            for name, _ in module.named_parameters(recurse=False)
            if biases or not name.startswith("bias")
        }

    @abstractmethod
    def assign(self, weights: Weights) -> None:
        """Take over the arrays, of which it has no memory of its own where it was made without."""

    @abstractmethod
    def initialize(self, generator: torch.Generator) -> None:
        """Draw its weights."""

    @abstractmethod
    def pass_stack(self, weights: Weights, x: Tensor, step: Step | None = None) -> tuple[Tensor, Tensor | None]:
        """Outputs of many networks at once, and what their last hidden layers make of x, if that is known.

        weights (stack, …), x (stack, examples, features) → (stack, examples, width). Network s sees examples x[s]
        only; this module's own weights are not used. With a `step` this is training: units are dropped, and batch
        normalization uses the batch and moves its statistics in `weights`.
        """

    def losses_stack(
        self, weights: Weights, x: Tensor, y: Tensor, step: Step | None = None, keys: seeds.Streams | None = None
    ) -> Tensor:
        """Its own loss of each example, (stack, examples); 0 for padding.

        In training it draws from the step's streams, else from `keys`, (examples,), or nothing.
        """
        raise NotImplementedError

    def measures_stack(self, weights: Weights, x: Tensor, y: Tensor, keys: seeds.Streams) -> Weights:
        """Its own loss and metrics of each example, by name: (stack, examples) each; it draws from `keys`."""
        raise NotImplementedError

    def hidden_stack(self, weights: Weights, x: Tensor) -> Tensor:
        """What it makes of examples, as in use: (stack, examples, features); only of a network that has some."""
        hidden = self.pass_stack(weights, x)[1]
        assert hidden is not None, "a network without features"
        return hidden

    def forward_stack(self, weights: Weights, x: Tensor, step: Step | None = None) -> Tensor:
        """The outputs alone."""
        return self.pass_stack(weights, x, step)[0]
