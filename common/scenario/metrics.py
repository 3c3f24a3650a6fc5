"""Metrics: one class each, declared in `common/metrics/`; those of a user's own are named in `evaluation.metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from common.scenario.base import Part, refuse
from common.scenario.registry import Family

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from common.metric_terms import Examples, Numbers, Sums, Term
    from common.tasks import Task

METRICS: Family[MetricPart] = Family("metrics", declared_in="common.metrics.*")


class MetricPart(Part):
    """A number that says how good a model is: terms of each example that are added up, and what the sums come to."""

    family: ClassVar[Family[MetricPart]] = METRICS
    tasks: ClassVar[tuple[Task, ...]] = ()
    """The tasks that it measures."""
    more_is_better: ClassVar[bool] = False
    primary: ClassVar[Task | None] = None
    """The task that is judged by it, where nothing else is said."""
    compares: ClassVar[bool] = False
    """Whether it compares examples with each other. It is then not pooled over clients, and measured where chosen."""
    needs: ClassVar[str] = ""
    """The sum without which it has no value; one that compares must name one of its own."""
    of_some: ClassVar[bool] = False
    """Whether only some examples of its tasks have it, such as documents: reports show it where it is measured."""

    name: str = ""

    def __init_subclass__(cls, *, tasks: tuple[Task, ...] = (), more_is_better: bool = False, **words: Any) -> None:
        super().__init_subclass__(**words)
        cls.tasks, cls.more_is_better = tasks, more_is_better

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """What is added up over examples, by name; metrics that need the same term call it the same."""
        return {}

    def compared(self, examples: Examples, groups: NDArray[np.int64], number: int) -> Sums:
        """For a metric that compares: its sums over each of `number` groups, all of whose examples are there."""
        return {}

    def finish(self, sums: Sums) -> Numbers:
        """The metric of each group, (groups,), from sums over it; `examples` is how many examples it has."""
        raise NotImplementedError


def _once_each(metrics: tuple[MetricPart, ...]) -> tuple[MetricPart, ...]:
    names = [metric.name for metric in metrics]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise refuse(str(place), f"each metric once; {name} is listed before")
    return metrics


MetricList = Annotated[tuple[Annotated[MetricPart, METRICS], ...], AfterValidator(_once_each)]


class _Pooled:
    """What a key accepts that names a metric which any examples can be pooled for."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": self._names()}

    def _validate(self, value: Any) -> str:
        names = self._names()
        if value not in names:
            *others, last = map(repr, names)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
        return str(value)

    @staticmethod
    def _names() -> list[str]:
        return [name for name, metric in METRICS.parts.items() if not metric.needs]


MetricName = Annotated[str, _Pooled()]
