"""What training minimizes: for each `training.loss` a loss per example, not yet averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from common.data.data_spec import DataSpec
from common.models.outputs import Output
from common.scenario.losses import LOSSES
from common.scenario.losses import LossPart as Spec
from common.scenario.objective import check_objective, loss_name
from common.scenario.registry import implementation

PerRow = Callable[[Tensor, Tensor], Tensor]
"""(outputs (…, width), targets (…) or (…, targets)) → losses (…)."""


@dataclass(frozen=True)
class Loss:
    """A loss for outputs and targets of the shapes that a task has."""

    per_row: PerRow
    """Each row's part of the training objective: label smoothing and the weight of its class are in it."""
    class_weights: Tensor | None = None
    """How much rows of each class count, (classes,); None where all count alike."""
    plain: PerRow | None = None
    """The loss without label smoothing and class weights; None where that is `per_row`."""

    def counts(self, targets: Tensor) -> Tensor | None:
        """How much each row counts, in the shape of class codes `targets`; None where all count alike."""
        return None if self.class_weights is None else self.class_weights[targets]

    def terms(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """What is added up over examples to report the loss and the objective, by name: (rows,) each.

        `loss` is the plain loss. Where the training objective is another one there are `objective` and `weight`, how
        much each example counts in its mean.
        """
        if self.plain is None:
            return {"loss": self.per_row(outputs, targets)}
        objective, counts = self.per_row(outputs, targets), self.counts(targets)
        weight = torch.ones_like(objective) if counts is None else counts
        return {"loss": self.plain(outputs, targets), "objective": objective, "weight": weight}

    def mean(self, outputs: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
        """Each network's mean over its batch, (stack,): shares (stack, rows) add up to 1, padding has 0."""
        losses = (self.per_row(outputs, targets) * shares).sum(dim=-1)
        counts = self.counts(targets)
        return losses if counts is None else losses / (counts * shares).sum(dim=-1)


def cross_entropy(spec: Any, output: Output, weights: Tensor | None) -> PerRow:
    """−log softmax(z)[y], with label smoothing and class weights."""

    def per_row(outputs: Tensor, targets: Tensor) -> Tensor:
        flat = F.cross_entropy(
            outputs.reshape(-1, outputs.shape[-1]),
            targets.reshape(-1),
            weights,
            reduction="none",
            label_smoothing=spec.label_smoothing,
        )
        return flat.view(targets.shape)

    return per_row


def binary_cross_entropy(spec: Any, output: Output, weights: Tensor | None) -> PerRow:
    """−(y log h + (1−y) log(1−h)), with label smoothing and class weights."""

    def per_row(outputs: Tensor, targets: Tensor) -> Tensor:
        smoothed = output.one_hot(targets, outputs) * (1 - spec.label_smoothing) + spec.label_smoothing / 2
        losses = F.binary_cross_entropy_with_logits(outputs, smoothed, reduction="none").mean(dim=-1)
        return losses if weights is None else losses * weights[targets]

    return per_row


def _of_difference(each: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Output, Tensor | None], PerRow]:
    """A loss of the differences between h and a target, averaged over the target's numbers."""

    def make(spec: Any, output: Output, weights: Tensor | None) -> PerRow:
        def per_row(outputs: Tensor, targets: Tensor) -> Tensor:
            if output.task == "classification":
                outputs, targets = output.activated(outputs), output.one_hot(targets, outputs)
            return each(outputs, targets).mean(dim=-1)

        return per_row

    return make


def _squared(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(outputs, targets, reduction="none")


mse = _of_difference(_squared)
half_mse = _of_difference(lambda outputs, targets: 0.5 * _squared(outputs, targets))


def huber(spec: Any, output: Output, weights: Tensor | None) -> PerRow:
    """Squared up to an error of delta, linear beyond."""
    return _of_difference(lambda h, y: F.huber_loss(h, y, reduction="none", delta=spec.delta))(spec, output, weights)


def loss_for(spec: Spec, output: Output, data_spec: DataSpec, dtype: torch.dtype) -> Loss:
    """The loss of a scenario, for its output. Raises InputError where loss, output, task or labels do not fit."""
    check_objective(spec, output.kind, output.task, data_spec.labels)
    resolved: Any = spec if spec.name != "auto" else _Plain()
    weights = _class_weights(getattr(resolved, "class_weights", None), data_spec, dtype)
    make = implementation(LOSSES.parts[loss_name(spec, output.kind, output.task)])
    altered = weights is not None or getattr(resolved, "label_smoothing", 0.0) > 0
    return Loss(make(resolved, output, weights), weights, make(_Plain(), output, None) if altered else None)


@dataclass(frozen=True)
class _Plain:
    """The options of the losses that `auto` stands for, and of the plain loss beside an altered objective."""

    label_smoothing: float = 0.0


def _class_weights(
    given: dict[str, float] | Literal["balanced"] | None, data_spec: DataSpec, dtype: torch.dtype
) -> Tensor | None:
    if not given:
        return None
    if given == "balanced":
        return torch.tensor(balanced(data_spec.label_counts), dtype=dtype)
    return torch.tensor([given.get(str(label), 1.0) for label in data_spec.labels], dtype=dtype)


def balanced(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ counts / (labels · count), (classes,), as scikit-learn balances; a label without a row is none of them."""
    there = counts > 0
    return np.where(there, counts.sum() / (there.sum() * np.where(there, counts, 1.0)), 1.0)
