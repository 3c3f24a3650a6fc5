"""How good models are: a class for each metric, declared in its file, and what is made of a metric over clients."""

from common.metric_terms import Examples, Sums
from common.metrics.measured import SPLITS, MeasuredMetrics, more_is_better, primaries, primary
from common.metrics.objectives import mean_objective

__all__ = [
    "SPLITS",
    "Examples",
    "MeasuredMetrics",
    "Sums",
    "mean_objective",
    "more_is_better",
    "primaries",
    "primary",
]
