"""How the learning rate changes: one class for each `training.schedule.*.name`.

Each gives a factor for t = 0, 1, 2, …: the rounds of the run (`by: round`) or the steps of a client's round
(`by: step`). Several are multiplied.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from common.scenario.base import Part, key
from common.scenario.registry import Family

By = Literal["round", "step"]

SCHEDULES: Family[SchedulePart] = Family("schedules")


class SchedulePart(Part):
    """A factor of the learning rate over rounds or steps."""

    family: ClassVar[Family[SchedulePart]] = SCHEDULES

    name: str = ""
    by: By = key("What t counts: rounds of the run or steps of a client's round.", "round")


def _length() -> int | None:
    length: int | None = key(
        "How many rounds or steps; if left out, as many rounds as the run was begun with, or as many steps as "
        "each client takes.",
        None,
        unit="rounds or steps",
        ge=1,
    )
    return length


class Constant(SchedulePart, name="constant", runs="clients.training.schedules:constant"):
    """No change: 1."""


class StepDecay(SchedulePart, name="step", runs="clients.training.schedules:step"):
    """factor^⌊t / every⌋."""

    every: int = key("How often.", 10, unit="rounds or steps", ge=1)
    factor: float = key("By how much.", 0.5, unit="none", gt=0)


class Exponential(SchedulePart, name="exponential", runs="clients.training.schedules:exponential"):
    """factor^t."""

    factor: float = key("By how much.", 0.99, unit="none", gt=0)


class Cosine(SchedulePart, name="cosine", runs="clients.training.schedules:cosine"):
    """final + (1 − final)·½(1 + cos(π·t/length)), and final after that (Loshchilov and Hutter 2017, equation 5)."""

    length: int | None = _length()
    final: float = key("Where it ends.", 0.0, unit="none", ge=0, le=1)


class Linear(SchedulePart, name="linear", runs="clients.training.schedules:linear"):
    """From 1 straight to final at t = length, and final after that."""

    length: int | None = _length()
    final: float = key("Where it ends.", 0.0, unit="none", ge=0, le=1)


class WarmUp(SchedulePart, name="warmup", runs="clients.training.schedules:warmup"):
    """From start straight to 1 at t = length, and 1 after that."""

    length: int = key("How long.", 5, unit="rounds or steps", ge=1)
    start: float = key("Where it begins.", 0.1, unit="none", ge=0, le=1)


class InverseSquareRoot(SchedulePart, name="inverse_sqrt", runs="clients.training.schedules:inverse_sqrt"):
    """√(offset / (offset + t))."""

    offset: float = key("The larger, the later it falls.", 1.0, unit="rounds or steps", gt=0)


Schedule = Annotated[SchedulePart, SCHEDULES]
