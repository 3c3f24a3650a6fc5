"""How good outputs are, from sums over rows, so that any group of rows can be measured and pooled exactly.

`group_sums` adds the terms of rows up in groups: a client's rows, a split. `finish` turns sums into metrics.
Clients send sums, and pooled metrics are what they would be on all rows in one place. The one exception is the
area under the curve, which compares rows with each other: it is exact within a group and is not pooled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from common.data.agreement import Agreement
    from common.data.table import Task
    from common.models.outputs import Output

Sums = dict[str, NDArray[np.float64]]
"""Named sums over rows, each of shape (groups,), (groups, classes) or (groups, targets)."""

PRIMARY: dict[Task, tuple[str, bool]] = {"classification": ("accuracy", True), "regression": ("rmse", False)}
"""The metric a task is judged by, and whether more of it is better."""

METRICS: dict[Task, tuple[str, ...]] = {
    "classification": ("loss", "accuracy", "balanced_accuracy", "macro_f1"),
    "regression": ("loss", "mae", "rmse", "r2"),
}
"""What `finish` measures for each task; `objective` and the area under the curve come where they were summed."""

_MORE_IS_BETTER = ("accuracy", "f1", "auc", "r2", "jain")
_UNPOOLED = ("ranked", "pairs")


def more_is_better(metric: str) -> bool:
    """Whether more of a metric is better, by its name; of anything else less is."""
    return not metric.endswith("_variance") and any(part in _MORE_IS_BETTER for part in metric.split("_"))


def group_sums(
    z: Tensor,
    targets: Tensor,
    terms: dict[str, Tensor],
    groups: NDArray[np.int64],
    number: int,
    output: Output,
    agreement: Agreement,
) -> Sums:
    """Sums over each of `number` groups of rows, which `groups` (rows,) names.

    z are outputs (rows, width), targets (rows,) or (rows, targets), `terms` what `Loss.terms` gives for them.
    """
    each = {name: term.double().numpy() for name, term in terms.items()}
    sums = {name: _add(groups, term, number) for name, term in each.items()}
    sums["rows"] = np.bincount(groups, minlength=number).astype(np.float64)
    with np.errstate(over="ignore"):
        sums["objective_squared"] = _add(groups, each.get("objective", each["loss"]) ** 2, number)
    if agreement.task == "classification":
        true, predicted, classes = targets.numpy(), output.codes(z).numpy(), output.classes

        def per_class(which: NDArray[np.int64], chosen: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
            places = groups[chosen] * classes + which[chosen]
            return np.bincount(places, minlength=number * classes).reshape(number, classes).astype(np.float64)

        everything = slice(None)
        return sums | {
            "hits": per_class(true, true == predicted),
            "support": per_class(true, everything),
            "predicted": per_class(predicted, everything),
        }
    scale = z.new_tensor(agreement.target_scale).double()
    # In the target's own unit; measured from the agreed mean, so that no digits are lost in squares.
    centred = (targets.double() * scale).numpy()
    error = (z.double() * scale).numpy() - centred
    measured = {"absolute": np.abs(error), "squared": error**2, "target": centred, "target_squared": centred**2}
    return sums | {name: _add(groups, term, number) for name, term in measured.items()}


def ranking_sums(z: Tensor, targets: Tensor, groups: NDArray[np.int64], number: int, output: Output) -> Sums:
    """For each group and class, the pairs of a row of the class and one of another, and how many are ranked right.

    All of a group's rows must come at once: outputs z (rows, width), targets (rows,), groups (rows,).
    """
    from scipy.stats import rankdata

    scores, true = output.scores(z).double().numpy(), targets.numpy()
    ranked, pairs = np.zeros((number, output.classes)), np.zeros((number, output.classes))
    for group in range(number):
        chosen = groups == group
        for code in range(output.classes):
            positive = true[chosen] == code
            ours, others = positive.sum(), (~positive).sum()
            ranks = rankdata(scores[chosen, code])
            # The Mann-Whitney statistic; ties count half.
            ranked[group, code] = ranks[positive].sum() - ours * (ours + 1) / 2
            pairs[group, code] = ours * others
    return {"ranked": ranked, "pairs": pairs}


def mean_objective(sums: Sums) -> NDArray[np.float64]:
    """The mean training objective of each group, (groups,): the plain loss where it is no other."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: NDArray[np.float64] = sums.get("objective", sums["loss"]) / sums.get("weight", sums["rows"])
    return mean


def finish(sums: Sums, task: Task) -> dict[str, Any]:
    """Metrics of each group, shape (groups,): NaN where a group has no rows.

    `loss` is the plain loss, without label smoothing and class weights; where training minimizes it with these, that
    is `objective`. A classification has accuracy, balanced_accuracy (mean recall over the classes that occur), macro_f1
    (over the classes that occur or are predicted) and, where rankings were summed, auc (of the second class
    for two, else the mean over classes against the rest); a regression has mae, rmse and r2 in the
    target's own unit, averaged over targets. All as scikit-learn defines them.
    """
    rows = sums["rows"]
    with np.errstate(divide="ignore", invalid="ignore"):
        metrics = {"loss": sums["loss"] / rows}
        if "objective" in sums:
            metrics["objective"] = mean_objective(sums)
        if task == "classification":
            hits, support, predicted = sums["hits"], sums["support"], sums["predicted"]
            metrics["accuracy"] = hits.sum(axis=1) / rows
            metrics["balanced_accuracy"] = _mean(hits / support, support > 0)
            metrics["macro_f1"] = _mean(2 * hits / (support + predicted), support + predicted > 0)
            if "pairs" in sums:
                area = sums["ranked"] / sums["pairs"]
                two = area.shape[1] == 2
                metrics["auc"] = area[:, 1] if two else _mean(area, sums["pairs"] > 0)
            return metrics
        per_target = rows[:, None]
        metrics["mae"] = (sums["absolute"] / per_target).mean(axis=1)
        metrics["rmse"] = np.sqrt(sums["squared"] / per_target).mean(axis=1)
        spread = sums["target_squared"] - sums["target"] ** 2 / per_target
        metrics["r2"] = np.where(spread > 0, 1 - sums["squared"] / spread, np.nan).mean(axis=1)
    return metrics


def total(sums: Sums) -> Sums:
    """The sums of all groups together, as one group; what compares rows with each other is left out."""
    return {name: value.sum(axis=0, keepdims=True) for name, value in sums.items() if name not in _UNPOOLED}


def _add(groups: NDArray[np.int64], terms: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Terms (rows,) or (rows, n) added up by group: (number,) or (number, n)."""
    if terms.ndim == 1:
        return np.bincount(groups, terms, minlength=number).astype(np.float64)
    return np.stack([np.bincount(groups, column, minlength=number) for column in terms.T], axis=1)


def _mean(values: NDArray[np.float64], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean of each row over where it is defined; NaN where it is nowhere."""
    count = np.where(defined.any(axis=1), defined.sum(axis=1), np.nan)
    mean: NDArray[np.float64] = np.where(defined, values, 0).sum(axis=1) / count
    return mean
