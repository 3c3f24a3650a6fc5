"""The multilayer perceptron, as an ordinary module and as a stack of many with the same shape."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.models.activations import ACTIVATIONS
from common.models.layout import Weights


class MLP(nn.Module):
    """Dense layers, an activation after each hidden one, a linear output.

    The output holds logits for a classification and numbers for a regression.
    """

    def __init__(
        self, features: int, hidden: Sequence[int], outputs: int, activation: str, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        widths = [features, *hidden, outputs]
        self.layers = nn.ModuleList(
            nn.Linear(before, after, dtype=dtype) for before, after in itertools.pairwise(widths)
        )
        self.activation = ACTIVATIONS[activation]

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights and biases as PyTorch does by default, uniform within ±1/√inputs, from one generator."""
        with torch.no_grad():
            for layer in self.layers:
                assert isinstance(layer, nn.Linear)
                bound = 1 / math.sqrt(layer.in_features)
                for tensor in (layer.weight, layer.bias):
                    # Drawn in float32 whatever the dtype, so that both start from the same numbers.
                    drawn = torch.empty(tensor.shape, dtype=torch.float32)
                    tensor.copy_(drawn.uniform_(-bound, bound, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs for rows `x`: (…, features) → (…, outputs)."""
        *hidden, output = self.layers
        for layer in hidden:
            x = self.activation(layer(x))
        result: Tensor = output(x)
        return result

    def forward_stack(self, weights: Weights, x: Tensor) -> Tensor:
        """`forward` for many networks at once: weights (stack, …), x (stack, rows, features).

        Network s sees rows x[s] only; this module's own weights are not used.
        """
        last = len(self.layers) - 1
        for index in range(last + 1):
            weight, bias = weights[f"layers.{index}.weight"], weights[f"layers.{index}.bias"]
            if len(x) == 1:
                # The same product, without the batched kernel's overhead.
                x = F.linear(x.squeeze(0), weight.squeeze(0), bias.squeeze(0)).unsqueeze(0)
            else:
                x = torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))
            if index < last:
                x = self.activation(x)
        return x
