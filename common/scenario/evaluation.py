"""`evaluation:` when and on what the global model is measured."""

from __future__ import annotations

from common.scenario.base import Part, key
from common.scenario.metrics import MetricList


class Evaluation(Part):
    """The server's test and validation examples, and the clients' held-out examples where they have some."""

    every: int = key("Evaluate after every so many rounds; the first and last are always.", 1, unit="rounds", ge=1)
    batch_size: int = key("Examples evaluated at once.", 4096, unit="examples", ge=1)
    auc: bool = key(
        "Measure a classification's area under the ROC curve too, on the test and validation examples and on each "
        "client's own; it takes time to sort.",
        False,
    )
    metrics: MetricList = key("Metrics of your own to measure, beside the built-in ones.", (), strict=False)

    @property
    def own_directions(self) -> dict[str, bool]:
        """Whether more is better, for each metric of the user's own."""
        return {metric.name: metric.more_is_better for metric in self.metrics if not metric.is_built_in()}
