"""What training minimizes: one class for each `training.loss.name`. All are means over a batch's examples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BeforeValidator, Field

from common.scenario.base import Part, expecting, key
from common.scenario.registry import Family
from common.tasks import Task

if TYPE_CHECKING:
    # Reading options does without PyTorch; a loss imports it when it is made.
    from torch import Tensor

    PerExample = Callable[[Tensor, Tensor], Tensor]
    """(outputs (…, width), targets (…) or (…, targets)) → losses (…)."""

LOSSES: Family[LossPart] = Family("losses", in_steps=True)


class NetworkOutput(Protocol):
    """How a network's outputs are read."""

    @property
    def task(self) -> Task:
        """What is learned."""

    def activated(self, z: Tensor) -> Tensor:
        """h(z), (…, width)."""

    def one_hot(self, targets: Tensor, like: Tensor) -> Tensor:
        """Class codes (…) as zeros and ones (…, width), of the type of `like`."""


class LossPart(Part):
    """What training minimizes."""

    family: ClassVar[Family[LossPart]] = LOSSES

    name: str = ""

    def per_example(self, output: NetworkOutput, weights: Tensor | None) -> PerExample:
        """Each example's loss, not yet averaged; `weights` are those of the classes, (classes,), or None."""
        raise NotImplementedError


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
        "How much examples of a label count, by label; 1 where it is not named. A batch's mean is weighted. balanced "
        "takes examples / (labels · examples of the label) over all clients' training examples, which clients count.",
        None,
    )
    return weights


class Auto(LossPart, name="auto", compiled=True):
    """The task's own: cross_entropy for a softmax output, binary_cross_entropy for a sigmoid one, else mse."""


class CrossEntropy(LossPart, name="cross_entropy", compiled=True):
    """−log softmax(z)[y]: for classification with a softmax output (torch.nn.CrossEntropyLoss)."""

    label_smoothing: float = key(
        "Share of the target that is spread evenly over all classes.", 0.0, unit="fraction", ge=0, lt=1
    )
    class_weights: Weights | None = _class_weights()

    def per_example(self, output: NetworkOutput, weights: Tensor | None) -> PerExample:
        """−log softmax(z)[y], with label smoothing and class weights."""
        from torch.nn import functional

        def per_example(outputs: Tensor, targets: Tensor) -> Tensor:
            flat = functional.cross_entropy(
                outputs.reshape(-1, outputs.shape[-1]),
                targets.reshape(-1),
                weights,
                reduction="none",
                label_smoothing=self.label_smoothing,
            )
            return flat.view(targets.shape)

        return per_example


class BinaryCrossEntropy(LossPart, name="binary_cross_entropy", compiled=True):
    """−(y log h + (1−y) log(1−h)): for classification with a sigmoid output (torch.nn.BCEWithLogitsLoss).

    Two classes have one output, for the second; more have one each, over which the loss is averaged.
    """

    label_smoothing: float = key("Targets are moved this share towards ½.", 0.0, unit="fraction", ge=0, lt=1)
    class_weights: Weights | None = _class_weights()

    def per_example(self, output: NetworkOutput, weights: Tensor | None) -> PerExample:
        """−(y log h + (1−y) log(1−h)), with label smoothing and class weights."""
        from torch.nn import functional

        smoothing = self.label_smoothing

        def per_example(outputs: Tensor, targets: Tensor) -> Tensor:
            smoothed = output.one_hot(targets, outputs) * (1 - smoothing) + smoothing / 2
            losses = functional.binary_cross_entropy_with_logits(outputs, smoothed, reduction="none").mean(dim=-1)
            return losses if weights is None else losses * weights[targets]

        return per_example


class Mse(LossPart, name="mse", compiled=True):
    """(h − y)², averaged over a target's numbers (torch.nn.MSELoss); for classes, against 0 and 1."""

    def per_example(self, output: NetworkOutput, weights: Tensor | None) -> PerExample:
        """(h − y)²."""
        from torch.nn import functional

        return _of_difference(output, partial(functional.mse_loss, reduction="none"))


class HalfMse(LossPart, name="half_mse", compiled=True):
    """½ (h − y)², averaged over a target's numbers; for classes, against 0 and 1."""

    def per_example(self, output: NetworkOutput, weights: Tensor | None) -> PerExample:
        """½ (h − y)²."""
        from torch.nn import functional

        return _of_difference(output, lambda h, y: 0.5 * functional.mse_loss(h, y, reduction="none"))


class Huber(LossPart, name="huber", compiled=True):
    """½ (h − y)² up to an error of delta, then delta·(│h − y│ − ½ delta) (torch.nn.HuberLoss)."""

    delta: float = key("Where it becomes linear, in units of the scaled target.", 1.0, unit="none", gt=0)

    def per_example(self, output: NetworkOutput, weights: Tensor | None) -> PerExample:
        """Squared up to an error of delta, linear beyond."""
        from torch.nn import functional

        return _of_difference(output, partial(functional.huber_loss, reduction="none", delta=self.delta))


def _of_difference(output: NetworkOutput, each: PerExample) -> PerExample:
    """A loss of the differences between h and a target, averaged over the target's numbers."""

    def per_example(outputs: Tensor, targets: Tensor) -> Tensor:
        if output.task == "classification":
            outputs, targets = output.activated(outputs), output.one_hot(targets, outputs)
        return each(outputs, targets).mean(dim=-1)

    return per_example


Loss = Annotated[LossPart, LOSSES]
