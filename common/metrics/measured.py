"""The metrics of a run: the built-in ones of its task, and those that its scenario adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.metric_terms import Examples, Numbers, OneHot, Sums, Term
from common.metrics.fairness import DIRECTIONS
from common.scenario.evaluation import Evaluation
from common.scenario.metrics import METRICS, MetricPart
from common.tasks import Task

SPLITS = ("train", "test", "validation", "holdout", "personal")
"""What the names of columns in metrics.jsonl begin with, where they are metrics of some examples."""


class MeasuredMetrics:
    """What is measured of every model of a run."""

    def __init__(self, task: Task, evaluation: Evaluation, of_network: Iterable[str] = ()) -> None:
        """`of_network` are the names of metrics that the network brings.

        Raises InputError, with the key, for a metric of another task, and for two of one name.
        """
        chosen = {metric.name: metric for metric in evaluation.metrics}
        for place, metric in enumerate(evaluation.metrics):
            if task not in metric.tasks:
                told = " or ".join(metric.tasks) or "no task; its class says tasks=(...)"
                raise InputError(f"{metric.name} measures a {told}, this is a {task}", f"evaluation.metrics.{place}")
        always = [metric() for metric in METRICS.built_in.values() if task in metric.tasks]
        wanted = {metric.name: metric for metric in always if not metric.compares or evaluation.auc}
        # Of what a built-in metric needs it makes what it makes.
        further = [name for name in of_network if name not in {metric.needs for metric in always}]
        for name in further:
            if name in METRICS.built_in or name in chosen:
                raise InputError(f"its metric {name} has the name of another metric", "model")
        self.metrics: tuple[MetricPart, ...] = (
            *(wanted | chosen).values(),
            *(_OfNetwork.model_construct(name=name) for name in further),
        )
        self.compares = any(metric.compares for metric in self.metrics)
        """Whether some compare examples with each other, so that all of a group's are needed at once."""

    def __getitem__(self, name: str) -> MetricPart:
        """The metric of a name. Raises KeyError for one that is not measured."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, MetricPart]:
        return {metric.name: metric for metric in self.metrics}

    @cached_property
    def pooled(self) -> list[str]:
        """The names of those that any examples can be pooled for."""
        return [metric.name for metric in self.metrics if not metric.needs]

    def group_sums(self, examples: Examples, groups: NDArray[np.int64], number: int) -> Sums:
        """Sums over each of `number` groups of examples, which `groups` (examples,) names."""
        sums: Sums = {"examples": np.bincount(groups, minlength=number).astype(np.float64)}
        for metric in self.metrics:
            for name, term in metric.terms(examples).items():
                if name not in sums:
                    sums[name] = _added(groups, term, number)
        return sums

    def compared_sums(self, examples: Examples, groups: NDArray[np.int64], number: int) -> Sums:
        """The sums of those metrics that compare examples; all of a group's examples must come at once."""
        found: Sums = {}
        for metric in self.metrics:
            if metric.compares:
                found |= metric.compared(examples, groups, number)
        return found

    def finish(self, sums: Sums) -> dict[str, Any]:
        """Metrics of each group by name, shape (groups,): NaN where a group has no examples."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                metric.name: metric.finish(sums) for metric in self.metrics if not metric.needs or metric.needs in sums
            }

    def total(self, sums: Sums) -> Sums:
        """The sums of all groups together, as one group; what compares examples with each other is left out."""
        apart = {metric.needs for metric in self.metrics if metric.compares}
        return {name: value.sum(axis=0, keepdims=True) for name, value in sums.items() if name not in apart}


class _OfNetwork(MetricPart):
    """The mean of what a network measures itself."""

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Each example's."""
        return {self.name: examples.loss[self.name]}

    def finish(self, sums: Sums) -> Numbers:
        """Its mean."""
        return np.asarray(sums[self.name] / sums["examples"])


def primaries() -> list[MetricPart]:
    """The metrics that tasks are judged by."""
    return [primary(task) for task in get_args(Task)]


def primary(task: Task) -> MetricPart:
    """The metric that a task is judged by."""
    return next(metric() for metric in METRICS.built_in.values() if metric.primary == task)


def more_is_better(column: str, own: Mapping[str, bool] | None = None) -> bool:
    """Whether more of a column of metrics.jsonl is better, such as test_accuracy or holdout_rmse_jain.

    `own` says so of metrics that are not built in. Of what is no metric less is: bytes, seconds, ε.
    """
    directions = {name: metric.more_is_better for name, metric in METRICS.built_in.items()} | dict(own or {})
    split, _, rest = column.partition("_")
    name = rest if split in SPLITS else column
    if name in directions:
        return directions[name]
    for statistic, direction in DIRECTIONS.items():
        known = directions.get(name.removesuffix(f"_{statistic}"))
        if known is not None and name.endswith(f"_{statistic}"):
            return known if direction is None else direction
    return False


def _added(groups: NDArray[np.int64], term: Term, number: int) -> Numbers:
    """A term added up by group: (number,), (number, targets) or (number, classes)."""
    if isinstance(term, OneHot):
        places = groups[term.counted] * term.classes + term.codes[term.counted]
        counts = np.bincount(places, minlength=number * term.classes)
        return counts.reshape(number, term.classes).astype(np.float64)
    if term.ndim == 1:
        return np.bincount(groups, term, minlength=number).astype(np.float64)
    return np.stack([np.bincount(groups, column, minlength=number) for column in term.T], axis=1)
