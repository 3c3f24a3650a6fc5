"""The multilayer perceptron, as an ordinary module and as a stack of many with the same shape."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.models.layout import Weights
from common.models.network import DTYPES, Network, Step
from common.models.outputs import Output
from common.models.stacked_linear import stacked_linear
from common.scenario.initializations import Initialization
from common.scenario.model import MLPModel


class MLP(Network):
    """Dense layers; after each hidden one its normalization, an activation and dropout; then the output.

    The output holds logits for a classification and numbers for a regression.
    """

    has_features = True

    def __init__(self, spec: MLPModel, features: int, output: Output) -> None:
        super().__init__()
        self.spec: MLPModel
        dtype = DTYPES[spec.dtype]
        widths = [features, *spec.layers, output.width]
        self.spec, self.output = spec, output
        last = len(spec.layers)
        self.layers = nn.ModuleList(
            # Batch normalization takes any bias away again.
            nn.Linear(before, after, bias=index == last or spec.normalization.name != "batch", dtype=dtype)
            for index, (before, after) in enumerate(itertools.pairwise(widths))
        )
        norms = (spec.normalization.module(width, dtype) for width in spec.layers)
        self.norms = nn.ModuleList(norm for norm in norms if norm is not None)
        self.activation = spec.activation.function()

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the weights from one generator, layer by layer; normalizations start as the identity."""
        slope = float(getattr(self.spec.activation, "slope", 0.0))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            _initialize(layer, self.spec.initialization, slope, generator)
        start = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        for name, tensor in self.norms.state_dict().items():
            tensor.fill_(start[name.rpartition(".")[2]])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs for examples `x`: (…, features) → (…, width)."""
        x = F.dropout(x, self.spec.input_dropout, self.training)
        *hidden, output = self.layers
        for index, layer in enumerate(hidden):
            x = self._dense(layer, x)
            if self.norms:
                x = self.norms[index](x.reshape(-1, x.shape[-1])).view(x.shape)
            x = F.dropout(self.activation(x), self.spec.dropouts[index], self.training)
        return self.read(self._dense(output, x))

    @property
    def numbers_per_example(self) -> int:
        """What each hidden layer, its normalization and its activation give, and the outputs."""
        return 3 * sum(self.spec.layers) + self.output.width

    def regularized(self, biases: bool) -> set[str]:
        """As in Network; whatever a normalization is made of, it is none of the layers."""
        return {name for name in super().regularized(biases) if name.startswith("layers.")}

    def assign(self, weights: Weights) -> None:
        """Take over the tensors themselves."""
        self.load_state_dict(weights, assign=True)

    def pass_stack(self, weights: Weights, x: Tensor, step: Step | None = None) -> tuple[Tensor, Tensor | None]:
        """As in Network."""
        hidden = self.hidden_stack(weights, x, step)
        return self.output_stack(weights, hidden, step), hidden

    def hidden_stack(self, weights: Weights, x: Tensor, step: Step | None = None) -> Tensor:
        """The last hidden layer's units, (stack, examples, units); without a hidden layer the examples themselves."""
        if step is not None:
            x = step.drop_units(-1, x)
        for index in range(len(self.layers) - 1):
            x = self.activation(self.normalized(index, weights, self._stacked(index, weights, x, step), step))
            if step is not None:
                x = step.drop_units(index, x)
        return x

    def output_stack(self, weights: Weights, hidden: Tensor, step: Step | None = None) -> Tensor:
        """What the network answers to what the last hidden layer gives: (stack, examples, width)."""
        return self.read(self._stacked(len(self.layers) - 1, weights, hidden, step))

    def before_norm(self, weights: Weights, x: Tensor, layer: int) -> Tensor:
        """What the normalization of hidden layer `layer` gets in use: (stack, examples, units)."""
        for index in range(layer + 1):
            x = stacked_linear(x, weights[f"layers.{index}.weight"], weights.get(f"layers.{index}.bias"))
            if index < layer:
                x = self.activation(self.normalized(index, weights, x, None))
        return x

    def _stacked(self, index: int, weights: Weights, x: Tensor, step: Step | None) -> Tensor:
        weight, bias = weights[f"layers.{index}.weight"], weights.get(f"layers.{index}.bias")
        return stacked_linear(x, weight if step is None else step.drop_weights(index, weight), bias)

    def normalized(self, index: int, weights: Weights, x: Tensor, step: Step | None) -> Tensor:
        """Hidden layer `index`'s product, normalized: (stack, examples, units)."""
        normalization = self.spec.normalization
        names = (*normalization.parameters, *normalization.buffers)
        own = {name: weights[f"norms.{index}.{name}"] for name in names}
        return normalization.stacked(x, own, None if step is None else step.shares)

    def _dense(self, layer: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(layer, nn.Linear)
        return F.linear(x, F.dropout(layer.weight, self.spec.drop_connect, self.training), layer.bias)

    def read(self, z: Tensor) -> Tensor:
        """Classes are told by their logits; a regression's numbers are what they are."""
        return self.output.activated(z) if self.output.task == "regression" else z


@torch.no_grad()
def _initialize(layer: nn.Linear, rule: Initialization, slope: float, generator: torch.Generator) -> None:
    """Draw a layer's weights and biases."""
    # Drawn in float32 whatever the dtype, so that both start from the same numbers.
    weight = torch.empty(layer.weight.shape, dtype=torch.float32)
    rule.fill(weight, slope, generator)
    layer.weight.copy_(weight)
    if layer.bias is not None:
        bias = torch.zeros(layer.bias.shape, dtype=torch.float32)
        rule.fill_bias(bias, layer.in_features, generator)
        layer.bias.copy_(bias)
