"""What a sweep's runs are judged by: never by test examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from common.errors import InputError
from common.metrics import MeasuredMetrics, more_is_better, primary
from common.scenario import Scenario
from common.tasks import Task


@dataclass(frozen=True)
class Goal:
    """A metric of examples that are kept for judging, and whether more of it is better."""

    metric: str
    maximize: bool

    @property
    def direction(self) -> str:
        """In Optuna's words."""
        return "maximize" if self.maximize else "minimize"

    def value(self, metrics: dict[str, Any]) -> float | None:
        """A round's value; None where it was not measured or is no finite number."""
        value = metrics.get(self.metric)
        return float(value) if value is not None and math.isfinite(value) else None


def goal_of(scenario: Scenario, task: Task) -> Goal | None:
    """What the runs of this scenario are judged by; None where no examples are kept for it.

    Raises InputError where a search asks for a metric that this task does not have.
    """
    data, search = scenario.data, scenario.search
    splits = {"validation": data.validation_fraction, "holdout": data.client_holdout}
    if scenario.federation.strategy.outcome == "own":
        splits = {"personal": data.client_holdout, **splits}
    metrics = MeasuredMetrics(task, scenario.evaluation)
    known = [f"{split}_{name}" for split, share in splits.items() if share for name in metrics.pooled]
    if splits["validation"]:
        known += [f"validation_{metric.name}" for metric in metrics.metrics if metric.compares]
    if not known:
        return None
    metric = next(f"{split}_{primary(task).name}" for split, share in splits.items() if share)
    if search and search.metric:
        metric = search.metric
        if metric not in known:
            near = get_close_matches(metric, known, 1)
            told = f"expected one of {', '.join(known)}, got {metric!r}"
            raise InputError(told + (f"; did you mean {near[0]}?" if near else ""), "search.metric")
    maximize = more_is_better(metric, scenario.evaluation.own_directions)
    if search and search.direction != "auto":
        maximize = search.direction == "maximize"
    return Goal(metric, maximize)
