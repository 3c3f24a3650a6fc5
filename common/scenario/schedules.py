"""How the learning rate changes: one class for each `training.schedule.*.name`.

Each gives a factor for t = 0, 1, 2, …: the rounds of the run (`by: round`) or the steps of a client's round
(`by: step`). Several are multiplied.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from common.scenario.base import Part, key
from common.scenario.registry import Family

By = Literal["round", "step"]

Lengths = NDArray[np.int64]
"""How long a schedule is for each client, (clients,), or for all, (1,)."""

SCHEDULES: Family[SchedulePart] = Family("schedules")


class SchedulePart(Part):
    """A factor of the learning rate over rounds or steps."""

    family: ClassVar[Family[SchedulePart]] = SCHEDULES

    name: str = ""
    by: By = key("What t counts: rounds of the run or steps of a client's round.", "round")

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """What multiplies the rate at t = 0, 1, …, in the shape of the length."""
        raise NotImplementedError


def _length() -> int | None:
    length: int | None = key(
        "How many rounds or steps; if left out, as many rounds as the run was begun with, or as many steps as "
        "each client takes.",
        None,
        unit="rounds or steps",
        ge=1,
    )
    return length


def _fraction(t: int, length: Lengths) -> NDArray[np.float64]:
    return np.minimum(t / length, 1.0)


class Constant(SchedulePart, name="constant"):
    """No change: 1."""

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """1."""
        return np.ones(len(length))


class StepDecay(SchedulePart, name="step"):
    """factor^⌊t / every⌋."""

    every: int = key("How often.", 10, unit="rounds or steps", ge=1)
    factor: float = key("By how much.", 0.5, unit="none", gt=0)

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """factor^⌊t / every⌋."""
        return np.full(len(length), self.factor ** (t // self.every))


class Exponential(SchedulePart, name="exponential"):
    """factor^t."""

    factor: float = key("By how much.", 0.99, unit="none", gt=0)

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """factor^t."""
        return np.full(len(length), self.factor**t)


class Cosine(SchedulePart, name="cosine"):
    """final + (1 − final)·½(1 + cos(π·t/length)), and final after that (Loshchilov and Hutter 2017, equation 5)."""

    length: int | None = _length()
    final: float = key("Where it ends.", 0.0, unit="none", ge=0, le=1)

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """final + (1 − final)·½(1 + cos(π·t/length))."""
        shares: NDArray[np.float64] = self.final + (1 - self.final) * (1 + np.cos(math.pi * _fraction(t, length))) / 2
        return shares


class Linear(SchedulePart, name="linear"):
    """From 1 straight to final at t = length, and final after that."""

    length: int | None = _length()
    final: float = key("Where it ends.", 0.0, unit="none", ge=0, le=1)

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """From 1 straight to final."""
        shares: NDArray[np.float64] = 1 + (self.final - 1) * _fraction(t, length)
        return shares


class WarmUp(SchedulePart, name="warmup"):
    """From start straight to 1 at t = length, and 1 after that."""

    length: int = key("How long.", 5, unit="rounds or steps", ge=1)
    start: float = key("Where it begins.", 0.1, unit="none", ge=0, le=1)

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """From start straight to 1."""
        shares: NDArray[np.float64] = self.start + (1 - self.start) * _fraction(t, length)
        return shares


class InverseSquareRoot(SchedulePart, name="inverse_sqrt"):
    """√(offset / (offset + t))."""

    offset: float = key("The larger, the later it falls.", 1.0, unit="rounds or steps", gt=0)

    def at(self, t: int, length: Lengths) -> NDArray[np.float64]:
        """√(offset / (offset + t))."""
        return np.full(len(length), math.sqrt(self.offset / (self.offset + t)))


Schedule = Annotated[SchedulePart, SCHEDULES]
