"""What a metric is: terms of each example that are added up, and what the sums come to.

Clients send sums, and pooled metrics are what they would be on all examples in one place. A metric that compares
examples with each other is exact within a group, such as a client's examples, and is not pooled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from common.tasks import Task

Numbers = NDArray[np.float64]

Sums = dict[str, Numbers]
"""Named sums over examples, each of shape (groups,), (groups, classes) or (groups, targets)."""

METRICS: dict[str, Metric] = {}
"""Every metric by name, in the order in which they are told."""


@dataclass(frozen=True)
class OneHot:
    """A term of shape (examples, classes) that is 1 in one class of some examples and 0 elsewhere."""

    codes: NDArray[np.int64]
    """The class of each example, (examples,)."""
    counted: NDArray[np.bool_]
    """Which of the examples have a 1, (examples,)."""
    classes: int


Term = Numbers | OneHot
"""Numbers of each example: (examples,), (examples, targets) or (examples, classes)."""


class Reading(Protocol):
    """How a network's outputs are read."""

    @property
    def classes(self) -> int:
        """How many classes there are; 0 in a regression."""

    def codes(self, z: Tensor) -> Tensor:
        """The codes of the classes that are predicted."""

    def scores(self, z: Tensor) -> Tensor:
        """How much speaks for each class."""


class Examples:
    """Examples that are measured: what a network says of them, and what is true."""

    def __init__(
        self, z: Tensor, targets: Tensor, loss: dict[str, Tensor], output: Reading, target_scale: Numbers
    ) -> None:
        """z (examples, width), targets (examples,) or (examples, targets), `loss` what `Loss.terms` gives.

        `target_scale` (targets,) is a regression's unit.
        """
        self._z, self._targets, self._output, self._target_scale = z, targets, output, target_scale
        self.loss = {name: term.double().numpy() for name, term in loss.items()}
        """The terms of the loss by name: `loss` and, where training minimizes another, `objective` and `weight`."""
        self.classes = output.classes
        """How many classes there are; 0 in a regression."""

    @cached_property
    def true(self) -> NDArray[np.int64]:
        """The codes of the examples' classes, (examples,)."""
        codes: NDArray[np.int64] = self._targets.numpy()
        return codes

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The codes of the classes that are predicted, (examples,)."""
        codes: NDArray[np.int64] = self._output.codes(self._z).numpy()
        return codes

    @cached_property
    def scores(self) -> Numbers:
        """How much speaks for each class, (examples, classes)."""
        return np.asarray(self._output.scores(self._z).double().numpy())

    @cached_property
    def target(self) -> Numbers:
        """A regression's targets in their own unit, from the agreed mean, so that no digits are lost in squares."""
        return np.asarray((self._targets.double() * self._scale).numpy())

    @cached_property
    def error(self) -> Numbers:
        """Prediction − target in the target's own unit, (examples, targets)."""
        return np.asarray((self._z.double() * self._scale).numpy() - self.target)

    @property
    def _scale(self) -> Tensor:
        return self._z.new_tensor(self._target_scale).double()

    def of_class(self, codes: NDArray[np.int64], counted: NDArray[np.bool_] | None = None) -> OneHot:
        """A 1 in the class of each example, or of those that are counted."""
        return OneHot(codes, np.ones(len(codes), dtype=bool) if counted is None else counted, self.classes)


class Metric:
    """A number that says how good a model is. A subclass with a `name` is one of `METRICS`."""

    name: ClassVar[str] = ""
    tasks: ClassVar[tuple[Task, ...]] = ()
    more_is_better: ClassVar[bool] = False
    primary: ClassVar[bool] = False
    """Whether its task is judged by it, where nothing else is said."""
    needs: ClassVar[str] = ""
    """The sum without which it is not told; where there is none it always is."""
    compares: ClassVar[bool] = False
    """Whether it compares examples with each other, so that it is not pooled."""

    def __init_subclass__(cls, *, name: str = "", tasks: tuple[Task, ...] = (), more_is_better: bool = False) -> None:
        super().__init_subclass__()
        cls.name, cls.tasks, cls.more_is_better = name, tasks, more_is_better
        if name:
            if name in METRICS:
                raise ValueError(f"{name} is one of the metrics already")
            METRICS[name] = cls()

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """What is added up over examples, by name; metrics that need the same term call it the same."""
        return {}

    def compared(self, examples: Examples, groups: NDArray[np.int64], number: int) -> Sums:
        """For a metric that compares: its sums over each of `number` groups, all of whose examples are there."""
        return {}

    def finish(self, sums: Sums) -> Numbers:
        """The metric of each group, (groups,), from sums over it; `examples` is how many examples it has."""
        raise NotImplementedError


def measured(task: Task) -> list[Metric]:
    """The metrics of a task."""
    return [metric for metric in METRICS.values() if task in metric.tasks]


def pooled(task: Task) -> list[str]:
    """The names of those that are always told of pooled examples."""
    return [metric.name for metric in measured(task) if not metric.needs]


def primary(task: Task) -> Metric:
    """The metric that a task is judged by."""
    return next(metric for metric in measured(task) if metric.primary)


def primaries() -> list[Metric]:
    """The metrics that tasks are judged by."""
    return [metric for metric in METRICS.values() if metric.primary]


def group_sums(examples: Examples, groups: NDArray[np.int64], number: int, task: Task) -> Sums:
    """Sums over each of `number` groups of examples, which `groups` (examples,) names."""
    sums: Sums = {"examples": np.bincount(groups, minlength=number).astype(np.float64)}
    for metric in measured(task):
        for name, term in metric.terms(examples).items():
            if name not in sums:
                sums[name] = _added(groups, term, number)
    return sums


def compared_sums(examples: Examples, groups: NDArray[np.int64], number: int, task: Task) -> Sums:
    """The sums of those metrics that compare examples; all of a group's examples must come at once."""
    found: Sums = {}
    for metric in measured(task):
        if metric.compares:
            found |= metric.compared(examples, groups, number)
    return found


def finish(sums: Sums, task: Task) -> dict[str, Any]:
    """Metrics of each group by name, shape (groups,): NaN where a group has no examples."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            metric.name: metric.finish(sums) for metric in measured(task) if not metric.needs or metric.needs in sums
        }


def total(sums: Sums) -> Sums:
    """The sums of all groups together, as one group; what compares examples with each other is left out."""
    apart = {metric.needs for metric in METRICS.values() if metric.compares}
    return {name: value.sum(axis=0, keepdims=True) for name, value in sums.items() if name not in apart}


def mean_over(values: Numbers, defined: NDArray[np.bool_]) -> Numbers:
    """The mean of each row over where it is defined; NaN where it is nowhere."""
    count = np.where(defined.any(axis=1), defined.sum(axis=1), np.nan)
    mean: Numbers = np.where(defined, values, 0).sum(axis=1) / count
    return mean


def _added(groups: NDArray[np.int64], term: Term, number: int) -> Numbers:
    """A term added up by group: (number,), (number, targets) or (number, classes)."""
    if isinstance(term, OneHot):
        places = groups[term.counted] * term.classes + term.codes[term.counted]
        counts = np.bincount(places, minlength=number * term.classes)
        return counts.reshape(number, term.classes).astype(np.float64)
    if term.ndim == 1:
        return np.bincount(groups, term, minlength=number).astype(np.float64)
    return np.stack([np.bincount(groups, column, minlength=number) for column in term.T], axis=1)
