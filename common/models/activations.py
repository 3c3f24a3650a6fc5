"""What follows each hidden layer: for each `model.activation` its options → a function of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


def relu(spec: Any) -> Activation:
    """max(0, z)."""
    return torch.relu


def leaky_relu(spec: Any) -> Activation:
    """z where it is positive, else slope·z."""
    return partial(F.leaky_relu, negative_slope=spec.slope)


def tanh(spec: Any) -> Activation:
    """Hyperbolic tangent."""
    return torch.tanh


def sigmoid(spec: Any) -> Activation:
    """1 / (1 + e⁻ᶻ)."""
    return torch.sigmoid


def gelu(spec: Any) -> Activation:
    """z·Φ(z)."""
    return F.gelu


def silu(spec: Any) -> Activation:
    """z·sigmoid(z)."""
    return F.silu
