"""`matrix:`, `seeds:` and `search:` many runs of one scenario; `hothouse sweep` runs them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from common.scenario.base import Part, expecting, key, refuse

_NOT_SWEPT = ("name", "seed", "seeds", "matrix", "search", "tracking")

Number = Annotated[int | float, expecting("a number")]


def _sweepable(name: str) -> None:
    """Raises where the scenario's key `name` cannot take several values."""
    if name == "seed":
        raise refuse(name, "seeds: in place of it, beside matrix")
    if name.partition(".")[0] in _NOT_SWEPT:
        raise refuse(name, f"a key of a run, which {name.partition('.')[0]} is not")


def _check_matrix(matrix: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    for name, values in matrix.items():
        _sweepable(name)
        told = [json.dumps(value, sort_keys=True, default=str) for value in values]
        if len(set(told)) < len(told):
            twice = next(text for text in told if told.count(text) > 1)
            raise refuse(name, f"every value once, {twice} is given twice")
    return matrix


def _check_seeds(seeds: int | tuple[int, ...]) -> int | tuple[int, ...]:
    if isinstance(seeds, tuple) and len(set(seeds)) < len(seeds):
        raise refuse("", "every seed once")
    return seeds


class Space(Part):
    """Where a search looks for a key's value: a range, or a few choices."""

    low: Number | None = key("The least value.", None, unit="the key's own")
    high: Number | None = key("The greatest value.", None, unit="the key's own")
    log: bool = key("Whether to look on a logarithmic scale.", False)
    step: Annotated[Number, Field(gt=0)] | None = key(
        "Look only at values so far apart, from low on.", None, unit="the key's own"
    )
    choices: Annotated[tuple[Any, ...], Field(min_length=1, strict=False)] | None = key(
        "The values to choose from, in place of a range.", None
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Space:
        if self.choices is not None:
            if self.log or any(value is not None for value in (self.low, self.high, self.step)):
                raise refuse("choices", "either choices or low and high, not both")
            return self
        if self.low is None or self.high is None:
            raise refuse("high" if self.high is None else "low", "low and high, or choices")
        if self.low >= self.high:
            raise refuse("high", f"more than low, which is {self.low}")
        if self.log and self.low <= 0:
            raise refuse("low", "a number above 0 on a logarithmic scale")
        if self.log and self.step is not None:
            raise refuse("step", "no step on a logarithmic scale")
        return self


def _check_space(space: dict[str, Space]) -> dict[str, Space]:
    for name in space:
        _sweepable(name)
    return space


class Search(Part):
    """A search for the values that do best on examples kept for judging, with Optuna's TPE sampler."""

    trials: int = key("How many runs.", 20, unit="runs", ge=1, le=100_000)
    metric: str | None = key(
        "What is judged, after the last round: a metric of validation or held-out examples, such as "
        "validation_accuracy. The task's own metric if left out, on validation examples where there are some, else on "
        "held-out examples.",
        None,
    )
    direction: Literal["auto", "maximize", "minimize"] = key(
        "Whether more or less of the metric is better; auto goes by the metric's name.", "auto"
    )
    space: Annotated[dict[str, Space], Field(min_length=1), AfterValidator(_check_space)] = key(
        "For each dotted key of the scenario, where to look for its value."
    )
    startup: int = key("The first trials draw their values at random.", 10, unit="runs", ge=1)
    parallel: int = key(
        "A trial's values follow from all but so many trials before it, which may still be running: more can use "
        "more workers, fewer learn from more. It decides the values; the number of workers does not.",
        4,
        unit="runs",
        ge=1,
    )
    prune: bool = key(
        "Stop a trial whose best value so far is worse than the median of at least five finished ones at that round.",
        True,
    )
    warmup: int = key("No trial is stopped before it has finished so many rounds.", 5, unit="rounds", ge=0)

    @model_validator(mode="after")
    def _fair(self) -> Search:
        if self.metric is not None and not self.metric.startswith(("validation_", "holdout_", "personal_")):
            raise refuse(
                "metric",
                "a metric of validation or held-out examples, such as validation_accuracy, "
                f"not {self.metric}: nothing is selected on test examples",
            )
        return self


Matrix = Annotated[
    dict[str, Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]],
    Field(min_length=1),
    AfterValidator(_check_matrix),
]

Seeds = Annotated[
    Annotated[int, Field(ge=1, le=100_000)]
    | Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(min_length=1, strict=False)],
    expecting("a number of seeds, at least 1, or a list of seeds"),
    AfterValidator(_check_seeds),
]
