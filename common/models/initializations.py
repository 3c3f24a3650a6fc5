"""How weights are drawn: a function for each `model.initialization`.

Each fills a dense layer's weights, float32 of shape (outputs, inputs), from a generator; `slope` is that of the
activation for negative numbers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from common.scenario.registry import implementation


def default(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """As torch.nn.Linear draws."""
    _default(weight, weight.shape[1], generator)


def zeros(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """All zero."""
    weight.zero_()


def normal(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """Normal(0, std²)."""
    nn.init.normal_(weight, 0.0, spec.std, generator)


def xavier_uniform(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """Glorot and Bengio 2010, equation 16."""
    nn.init.xavier_uniform_(weight, spec.gain, generator)


def xavier_normal(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """Glorot and Bengio 2010, equation 12."""
    nn.init.xavier_normal_(weight, spec.gain, generator)


def he_uniform(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """He et al. 2015, equation 15, uniform."""
    nn.init.kaiming_uniform_(weight, slope, generator=generator)


def he_normal(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """He et al. 2015, equation 15, normal."""
    nn.init.kaiming_normal_(weight, slope, generator=generator)


def orthogonal(weight: Tensor, spec: Any, slope: float, generator: Generator) -> None:
    """Saxe et al. 2013."""
    nn.init.orthogonal_(weight, spec.gain, generator)


@torch.no_grad()
def initialize(layer: nn.Linear, spec: Any, slope: float, generator: Generator) -> None:
    """Draw a layer's weights; its biases are zero, but for PyTorch's default, which draws them as well."""
    # Drawn in float32 whatever the dtype, so that both start from the same numbers.
    weight = torch.empty(layer.weight.shape, dtype=torch.float32)
    implementation(spec)(weight, spec, slope, generator)
    layer.weight.copy_(weight)
    if layer.bias is None:
        return
    bias = torch.zeros(layer.bias.shape, dtype=torch.float32)
    if spec.name == "default":
        _default(bias, layer.in_features, generator)
    layer.bias.copy_(bias)


def _default(tensor: Tensor, inputs: int, generator: Generator) -> Tensor:
    """Uniform within ±1/√inputs, as torch.nn.Linear draws."""
    bound = 1 / math.sqrt(inputs)
    return tensor.uniform_(-bound, bound, generator=generator)
