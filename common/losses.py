"""What training minimizes: `LOSSES` maps each `training.loss` to a loss per row, not yet averaged."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from common.data.table import Task

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs (…, outputs), targets (…) or (…, targets)) → losses (…)."""


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log softmax(z)[y] for each row: outputs (…, classes), targets (…) of int64."""
    flat = F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1), reduction="none")
    return flat.view(targets.shape)


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """(h − y)² for each row, averaged over its numbers: outputs and targets (…, targets)."""
    return F.mse_loss(outputs, targets, reduction="none").mean(dim=-1)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}

_BY_TASK = {"classification": "cross_entropy", "regression": "mse"}


def loss_for(name: str, task: Task) -> Loss:
    """The loss of that name; `auto` takes the task's own."""
    return LOSSES[_BY_TASK[task] if name == "auto" else name]
