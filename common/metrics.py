"""How good outputs are, from sums over rows, so that any group of rows can be measured and pooled exactly.

`row_sums` gives the terms of each row; they are added up over a client's rows, a split or a whole
federation; `finish` turns the sums into metrics. Clients send sums, and pooled metrics are what they would
be on all rows in one place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from common.data.agreement import Agreement
from common.data.table import Task

Sums = dict[str, NDArray[np.float64]]
"""Named sums over rows, each of shape (groups,) or (groups, targets)."""

PRIMARY: dict[Task, tuple[str, bool]] = {"classification": ("accuracy", True), "regression": ("rmse", False)}
"""The metric a task is judged by, and whether more of it is better."""


def row_sums(outputs: Tensor, targets: Tensor, losses: Tensor, agreement: Agreement) -> dict[str, Tensor]:
    """The terms of each row: outputs (rows, outputs), targets (rows,) or (rows, targets), losses (rows,)."""
    terms = {"rows": losses.new_ones(losses.shape).double(), "loss": losses.double()}
    if agreement.task == "classification":
        return terms | {"correct": (outputs.argmax(dim=-1) == targets).double()}
    scale = outputs.new_tensor(agreement.target_scale).double()
    # In the target's own unit; measured from the agreed mean, so that no digits are lost in squares.
    centred = targets.double() * scale
    error = outputs.double() * scale - centred
    return terms | {"absolute": error.abs(), "squared": error**2, "target": centred, "target_squared": centred**2}


def finish(sums: Sums, task: Task) -> dict[str, Any]:
    """Metrics of each group, shape (groups,): NaN where a group has no rows.

    A classification has loss and accuracy; a regression loss, mae, rmse and r2 in the target's own unit,
    averaged over targets as scikit-learn does.
    """
    rows = sums["rows"]
    with np.errstate(divide="ignore", invalid="ignore"):
        metrics = {"loss": sums["loss"] / rows}
        if task == "classification":
            return metrics | {"accuracy": sums["correct"] / rows}
        per_target = rows[:, None]
        metrics["mae"] = (sums["absolute"] / per_target).mean(axis=1)
        metrics["rmse"] = np.sqrt(sums["squared"] / per_target).mean(axis=1)
        spread = sums["target_squared"] - sums["target"] ** 2 / per_target
        metrics["r2"] = np.where(spread > 0, 1 - sums["squared"] / spread, np.nan).mean(axis=1)
    return metrics


def total(sums: Sums) -> Sums:
    """The sums of all groups together, as one group."""
    return {name: value.sum(axis=0, keepdims=True) for name, value in sums.items()}
