"""Which output and which loss a task has, and which do not go together."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from common.errors import InputError
from common.scenario.losses import Loss
from common.scenario.model import Model

if TYPE_CHECKING:
    from common.tasks import Label, Task

OutputKind = Literal["softmax", "sigmoid", "linear"]

_NEEDS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
_NATURAL = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy", "linear": "mse"}


def learned_task(model: Model, task: Task) -> Task:
    """What a network learns from data that is labelled for a task."""
    return "generation" if model.generates else task


def output_kind(model: Model, task: Task) -> OutputKind:
    """What the last layer's numbers mean: `auto` is softmax for a classification and linear for a regression."""
    if model.output != "auto":
        return model.output
    return "softmax" if task == "classification" else "linear"


def loss_name(loss: Loss, kind: OutputKind, task: Task) -> str:
    """The loss's own name: `auto` is the natural one of the output and the task."""
    if loss.name != "auto":
        return loss.name
    return _NATURAL[kind] if task == "classification" else "mse"


def check_objective(loss: Loss, kind: OutputKind, task: Task, labels: Sequence[Label]) -> None:
    """Raise InputError where loss, output, task or labels do not go together."""
    name = loss_name(loss, kind, task)
    needed = _NEEDS.get(name)
    if needed and task != "classification":
        raise InputError(
            f"the data is a regression; expected auto, mse, half_mse or huber, not {name}", "training.loss"
        )
    if needed and kind != needed:
        fitting = [*(other for other in _NEEDS if _NEEDS[other] == kind), "mse", "half_mse"]
        raise InputError(
            f"{name} goes with model.output {needed}; expected {', '.join(fitting)} or huber with {kind}",
            "training.loss",
        )
    known = [str(label) for label in labels]
    given = getattr(loss, "class_weights", None)
    for label in given if isinstance(given, dict) else ():
        if label not in known:
            near = get_close_matches(label, known, 1)
            raise InputError(
                f"no example has the label {label!r}; the labels are {', '.join(known[:20])}"
                + (f"; did you mean {near[0]}?" if near else ""),
                "training.loss.class_weights",
            )
