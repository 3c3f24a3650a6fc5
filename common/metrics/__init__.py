"""How good models are: a class for each metric, declared in its file, and what is made of a metric over clients."""

from __future__ import annotations

from common.metrics import objectives  # noqa: F401 (metrics are told in the order in which they are declared)

# isort: split
from common.metrics import classification, regression  # noqa: F401
from common.metrics.base import (
    METRICS,
    Examples,
    Metric,
    Sums,
    compared_sums,
    finish,
    group_sums,
    pooled,
    primaries,
    primary,
    total,
)
from common.metrics.fairness import DIRECTIONS
from common.metrics.objectives import mean_objective

__all__ = [
    "METRICS",
    "Examples",
    "Metric",
    "Sums",
    "compared_sums",
    "finish",
    "group_sums",
    "mean_objective",
    "more_is_better",
    "pooled",
    "primaries",
    "primary",
    "total",
]

SPLITS = ("train", "test", "validation", "holdout", "personal")
"""What the names of columns in metrics.jsonl begin with, where they are metrics of some examples."""


def more_is_better(column: str) -> bool:
    """Whether more of a column of metrics.jsonl is better, such as test_accuracy or holdout_rmse_jain.

    Of what is no metric less is: bytes, seconds, ε.
    """
    split, _, rest = column.partition("_")
    name = rest if split in SPLITS else column
    if name in METRICS:
        return METRICS[name].more_is_better
    for statistic, direction in DIRECTIONS.items():
        metric = METRICS.get(name.removesuffix(f"_{statistic}"))
        if metric is not None and name.endswith(f"_{statistic}"):
            return metric.more_is_better if direction is None else direction
    return False
