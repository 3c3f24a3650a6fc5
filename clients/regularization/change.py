"""What regularization does beside the loss: a change of gradients or weights around a step."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clients.training.values import Number

Change = Callable[[int, list[Tensor], list[Tensor], Number], None]
"""(active, weights, gradients, learning rate) → None: changes tensors (active, *shape) in place."""
