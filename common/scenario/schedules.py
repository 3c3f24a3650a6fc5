"""How the learning rate changes: one class for each `training.schedule.*.name`.

Each gives a factor for t = 0, 1, 2, …: the rounds of the run (`by: round`) or the steps of a client's round
(`by: step`). Several are multiplied.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import Named, Part, key

By = Literal["round", "step"]


def _by() -> By:
    by: By = key("What t counts: rounds of the run or steps of a client's round.", "round")
    return by


def _length() -> int | None:
    length: int | None = key(
        "How many rounds or steps; if left out, as many rounds as the run was begun with, or as many steps as "
        "each client takes.",
        None,
        unit="rounds or steps",
        ge=1,
    )
    return length


class Constant(Part):
    """1."""

    name: Literal["constant"] = key("No change.", "constant")
    by: By = _by()


class StepDecay(Part):
    """factor^⌊t / every⌋."""

    name: Literal["step"] = key("Multiplied by a factor every so often.", "step")
    by: By = _by()
    every: int = key("How often.", 10, unit="rounds or steps", ge=1)
    factor: float = key("By how much.", 0.5, unit="none", gt=0)


class Exponential(Part):
    """factor^t."""

    name: Literal["exponential"] = key("Multiplied by a factor each time.", "exponential")
    by: By = _by()
    factor: float = key("By how much.", 0.99, unit="none", gt=0)


class Cosine(Part):
    """final + (1 − final)·½(1 + cos(π·t/length)), and final after that (Loshchilov and Hutter 2017, equation 5)."""

    name: Literal["cosine"] = key("From 1 to its final value along a cosine.", "cosine")
    by: By = _by()
    length: int | None = _length()
    final: float = key("Where it ends.", 0.0, unit="none", ge=0, le=1)


class Linear(Part):
    """From 1 straight to final at t = length, and final after that."""

    name: Literal["linear"] = key("From 1 to its final value along a line.", "linear")
    by: By = _by()
    length: int | None = _length()
    final: float = key("Where it ends.", 0.0, unit="none", ge=0, le=1)


class WarmUp(Part):
    """From start straight to 1 at t = length, and 1 after that."""

    name: Literal["warmup"] = key("From its start to 1 along a line.", "warmup")
    by: By = _by()
    length: int = key("How long.", 5, unit="rounds or steps", ge=1)
    start: float = key("Where it begins.", 0.1, unit="none", ge=0, le=1)


class InverseSquareRoot(Part):
    """√(offset / (offset + t))."""

    name: Literal["inverse_sqrt"] = key("In proportion to 1/√t.", "inverse_sqrt")
    by: By = _by()
    offset: float = key("The larger, the later it falls.", 1.0, unit="rounds or steps", gt=0)


Schedule = Annotated[
    Constant | StepDecay | Exponential | Cosine | Linear | WarmUp | InverseSquareRoot,
    Field(discriminator="name"),
    Named("name"),
]

SCHEDULES: tuple[type[Part], ...] = (Constant, StepDecay, Exponential, Cosine, Linear, WarmUp, InverseSquareRoot)
