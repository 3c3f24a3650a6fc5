"""The loss, and the objective that training minimizes where it is another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from common.metric_terms import Examples, Numbers, Sums, Term
from common.scenario.metrics import MetricPart
from common.tasks import Task


class LossMetric(MetricPart, name="loss", tasks=("classification", "regression", "generation")):
    """The plain loss, without label smoothing and class weights."""

    primary: ClassVar[Task | None] = "generation"

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Each example's."""
        return {"loss": examples.loss["loss"]}

    def finish(self, sums: Sums) -> Numbers:
        """Its mean."""
        return np.asarray(sums["loss"] / sums["examples"])


class ObjectiveMetric(MetricPart, name="objective", tasks=("classification", "regression", "generation")):
    """The loss with label smoothing and class weights, where training minimizes that."""

    needs: ClassVar[str] = "objective"

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Each example's, what it counts for in the mean, and the square."""
        with np.errstate(over="ignore"):
            square = examples.loss.get("objective", examples.loss["loss"]) ** 2
        return {**examples.loss, "objective_squared": square}

    def finish(self, sums: Sums) -> Numbers:
        """Its weighted mean."""
        return mean_objective(sums)


def mean_objective(sums: Sums) -> Numbers:
    """The mean training objective of each group, (groups,): the plain loss where it is no other."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Numbers = sums.get("objective", sums["loss"]) / sums.get("weight", sums["examples"])
    return mean
