"""How weights are drawn: `INITIALIZATIONS` maps each `model.initialization.name` to a function.

Each fills a dense layer's weights, float32 of shape (outputs, inputs), from a generator; `slope` is that of the
activation for negative numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

Initialization = Callable[[Tensor, Any, float, Generator], object]

INITIALIZATIONS: dict[str, Initialization] = {
    "default": lambda weight, spec, slope, generator: _default(weight, weight.shape[1], generator),
    "zeros": lambda weight, spec, slope, generator: weight.zero_(),
    "normal": lambda weight, spec, slope, generator: nn.init.normal_(weight, 0.0, spec.std, generator),
    "xavier_uniform": lambda weight, spec, slope, generator: nn.init.xavier_uniform_(weight, spec.gain, generator),
    "xavier_normal": lambda weight, spec, slope, generator: nn.init.xavier_normal_(weight, spec.gain, generator),
    "he_uniform": lambda weight, spec, slope, generator: nn.init.kaiming_uniform_(weight, slope, generator=generator),
    "he_normal": lambda weight, spec, slope, generator: nn.init.kaiming_normal_(weight, slope, generator=generator),
    "orthogonal": lambda weight, spec, slope, generator: nn.init.orthogonal_(weight, spec.gain, generator),
}


@torch.no_grad()
def initialize(layer: nn.Linear, spec: Any, slope: float, generator: Generator) -> None:
    """Draw a layer's weights; its biases are zero, but for PyTorch's default, which draws them as well."""
    # Drawn in float32 whatever the dtype, so that both start from the same numbers.
    weight = torch.empty(layer.weight.shape, dtype=torch.float32)
    INITIALIZATIONS[spec.name](weight, spec, slope, generator)
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
