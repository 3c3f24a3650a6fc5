"""What follows each hidden layer: `ACTIVATIONS` maps each `model.activation.name` to a function of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Callable[[Any], Activation]] = {
    "relu": lambda spec: torch.relu,
    "leaky_relu": lambda spec: partial(F.leaky_relu, negative_slope=spec.slope),
    "tanh": lambda spec: torch.tanh,
    "sigmoid": lambda spec: torch.sigmoid,
    "gelu": lambda spec: F.gelu,
    "silu": lambda spec: F.silu,
}
