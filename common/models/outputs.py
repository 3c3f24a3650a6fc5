"""What the last layer's numbers z mean: classes, yes or no, or numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from common.data.data_spec import DataSpec
from common.scenario.model import Model
from common.scenario.objective import OutputKind, output_kind
from common.tasks import Task


@dataclass(frozen=True)
class Output:
    """The output of a network: how wide it is and how it is read."""

    kind: OutputKind
    task: Task
    width: int
    """Numbers z for an example. Two classes with a sigmoid output have one, for the second."""
    classes: int
    """How many classes there are; 0 for a regression."""

    @classmethod
    def of(cls, model: Model, data_spec: DataSpec) -> Output:
        """The output that a scenario's model has for what was agreed."""
        kind = output_kind(model, data_spec.task)
        classes = len(data_spec.labels)
        single = data_spec.task == "classification" and kind == "sigmoid" and classes == 2
        return cls(kind, data_spec.task, 1 if single else data_spec.outputs, classes)

    def activated(self, z: Tensor) -> Tensor:
        """h(z): probabilities, shares or numbers, (…, width) → (…, width)."""
        if self.kind == "softmax":
            return torch.softmax(z, dim=-1)
        return torch.sigmoid(z) if self.kind == "sigmoid" else z

    def codes(self, z: Tensor) -> Tensor:
        """The predicted classes, (…, width) → int64 (…)."""
        return (z[..., 0] > 0).long() if self.width == 1 else z.argmax(dim=-1)

    def scores(self, z: Tensor) -> Tensor:
        """The score of each class, higher for more likely ones: (…, width) → (…, classes).

        Probabilities for softmax and sigmoid; those of several sigmoid outputs need not add up to 1.
        """
        h = self.activated(z)
        return torch.cat([1 - h, h], dim=-1) if self.width == 1 and self.classes == 2 else h

    @property
    def score_name(self) -> str:
        """What `scores` are called: `probability` of a softmax or a sigmoid, else `score`."""
        return "probability" if self.kind in ("softmax", "sigmoid") else "score"

    def one_hot(self, targets: Tensor, like: Tensor) -> Tensor:
        """Class codes (…) as zeros and ones (…, width), of the type of `like`."""
        if self.width == 1:
            return targets.to(like.dtype).unsqueeze(-1)
        return torch.nn.functional.one_hot(targets, self.width).to(like.dtype)
