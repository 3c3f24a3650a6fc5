"""What follows each hidden layer: `ACTIVATIONS` maps each `model.activation` to a function of PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
}
