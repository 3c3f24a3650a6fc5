"""What metrics measure: examples, terms of each that are added up, and sums.

Clients send sums, and pooled metrics are what they would be on all examples in one place. A metric that compares
examples with each other is exact within a group, such as a client's examples, and is not pooled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Numbers = NDArray[np.float64]

Sums = dict[str, Numbers]
"""Named sums over examples, each of shape (groups,), (groups, classes) or (groups, targets)."""


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


def mean_over(values: Numbers, defined: NDArray[np.bool_]) -> Numbers:
    """The mean of each row over where it is defined; NaN where it is nowhere."""
    count = np.where(defined.any(axis=1), defined.sum(axis=1), np.nan)
    mean: Numbers = np.where(defined, values, 0).sum(axis=1) / count
    return mean
