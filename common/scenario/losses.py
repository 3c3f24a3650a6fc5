"""What training minimizes: one class for each `training.loss.name`. All are means over a batch's rows."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from common.scenario.base import Part, expecting, key
from common.scenario.registry import Family

LOSSES: Family[LossPart] = Family("losses", in_steps=True)


class LossPart(Part):
    """What training minimizes."""

    family: ClassVar[Family[LossPart]] = LOSSES

    name: str = ""


def _as_text(value: Any) -> Any:
    """Labels are told apart by their text; YAML reads some of them as numbers."""
    if not isinstance(value, dict):
        return value
    return {str(label).lower() if isinstance(label, bool) else str(label): weight for label, weight in value.items()}


Weights = Annotated[
    Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]],
    BeforeValidator(_as_text),
    expecting("balanced, or numbers above 0 by label"),
]


def _class_weights() -> Weights | None:
    weights: Weights | None = key(
        "How much rows of a label count, by label; 1 where it is not named. A batch's mean is weighted. balanced takes "
        "rows / (labels · rows of the label) over all clients' training rows, which are counted by the clients.",
        None,
    )
    return weights


class Auto(LossPart, name="auto", compiled=True):
    """The task's own: cross_entropy for a softmax output, binary_cross_entropy for a sigmoid one, else mse."""


class CrossEntropy(LossPart, name="cross_entropy", compiled=True, runs="common.losses:cross_entropy"):
    """−log softmax(z)[y]: for classification with a softmax output (torch.nn.CrossEntropyLoss)."""

    label_smoothing: float = key(
        "Share of the target that is spread evenly over all classes.", 0.0, unit="fraction", ge=0, lt=1
    )
    class_weights: Weights | None = _class_weights()


class BinaryCrossEntropy(
    LossPart, name="binary_cross_entropy", compiled=True, runs="common.losses:binary_cross_entropy"
):
    """−(y log h + (1−y) log(1−h)): for classification with a sigmoid output (torch.nn.BCEWithLogitsLoss).

    Two classes have one output, for the second; more have one each, over which the loss is averaged.
    """

    label_smoothing: float = key("Targets are moved this share towards ½.", 0.0, unit="fraction", ge=0, lt=1)
    class_weights: Weights | None = _class_weights()


class Mse(LossPart, name="mse", compiled=True, runs="common.losses:mse"):
    """(h − y)², averaged over a target's numbers (torch.nn.MSELoss); for classes, against 0 and 1."""


class HalfMse(LossPart, name="half_mse", compiled=True, runs="common.losses:half_mse"):
    """½ (h − y)², averaged over a target's numbers; for classes, against 0 and 1."""


class Huber(LossPart, name="huber", compiled=True, runs="common.losses:huber"):
    """½ (h − y)² up to an error of delta, then delta·(│h − y│ − ½ delta) (torch.nn.HuberLoss)."""

    delta: float = key("Where it becomes linear, in units of the scaled target.", 1.0, unit="none", gt=0)


Loss = Annotated[LossPart, LOSSES]
