"""The metrics of classifications, as scikit-learn defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from common.metric_terms import Examples, Numbers, Sums, Term, mean_over
from common.scenario.metrics import MetricPart
from common.tasks import Task


def _hits(examples: Examples) -> Mapping[str, Term]:
    return {"hits": examples.of_class(examples.true, examples.true == examples.predicted)}


def _support(examples: Examples) -> Mapping[str, Term]:
    return {"support": examples.of_class(examples.true)}


class Accuracy(MetricPart, name="accuracy", tasks=("classification",), more_is_better=True):
    """The share of examples whose class is predicted (sklearn.metrics.accuracy_score)."""

    primary: ClassVar[Task | None] = "classification"

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Hits by class."""
        return _hits(examples)

    def finish(self, sums: Sums) -> Numbers:
        """Hits over examples."""
        return np.asarray(sums["hits"].sum(axis=1) / sums["examples"])


class BalancedAccuracy(MetricPart, name="balanced_accuracy", tasks=("classification",), more_is_better=True):
    """The mean recall over the classes that occur (sklearn.metrics.balanced_accuracy_score)."""

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Hits and examples by class."""
        return {**_hits(examples), **_support(examples)}

    def finish(self, sums: Sums) -> Numbers:
        """The mean of hits over examples."""
        return mean_over(sums["hits"] / sums["support"], sums["support"] > 0)


class MacroF1(MetricPart, name="macro_f1", tasks=("classification",), more_is_better=True):
    """The mean F1 score over the classes that occur or are predicted (sklearn.metrics.f1_score, average macro)."""

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Hits, examples and predictions by class."""
        predicted = examples.of_class(examples.predicted)
        return {**_hits(examples), **_support(examples), "predicted": predicted}

    def finish(self, sums: Sums) -> Numbers:
        """The mean of 2·hits / (examples + predictions)."""
        either = sums["support"] + sums["predicted"]
        return mean_over(2 * sums["hits"] / either, either > 0)


class AreaUnderCurve(MetricPart, name="auc", tasks=("classification",), more_is_better=True):
    """The area under the ROC curve: of the second class for two, else the mean over classes against the rest.

    As sklearn.metrics.roc_auc_score, multi_class ovr.
    """

    needs: ClassVar[str] = "pairs"
    compares: ClassVar[bool] = True

    def compared(self, examples: Examples, groups: NDArray[np.int64], number: int) -> Sums:
        """By class, the pairs of an example of the class and one of another, and the share that is ranked right.

        That is the Mann-Whitney statistic over the pairs; ties count half.
        """
        from scipy.stats import rankdata

        areas, pairs = np.zeros((number, examples.classes)), np.zeros((number, examples.classes))
        for group in range(number):
            chosen = groups == group
            for code in range(examples.classes):
                positive = examples.true[chosen] == code
                ours, others = positive.sum(), (~positive).sum()
                ranks = rankdata(examples.scores[chosen, code])
                areas[group, code] = ranks[positive].sum() - ours * (ours + 1) / 2
                pairs[group, code] = ours * others
        return {"ranked": areas, "pairs": pairs}

    def finish(self, sums: Sums) -> Numbers:
        """Pairs that are ranked right over pairs."""
        area = sums["ranked"] / sums["pairs"]
        return area[:, 1] if area.shape[1] == 2 else mean_over(area, sums["pairs"] > 0)
