"""Metrics from sums equal scikit-learn's on the rows themselves, for a whole and for each group."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from common.losses import loss_for
from common.methods.competition.options import Competition
from common.metrics import METRICS, Examples, Metric, Sums, compared_sums, finish, group_sums, more_is_better, total
from common.models import Output
from common.scenario.losses import Auto, BinaryCrossEntropy, CrossEntropy, Loss
from common.scenario.model import Model
from tests.federations import data_spec

GROUPS = np.repeat([0, 1, 2], [50, 3, 1])
DTYPE = torch.float64


def classified(labels: int, kind: str) -> tuple[Sums, torch.Tensor, torch.Tensor, Output]:
    agreed = data_spec("classification", 1, tuple(range(labels)))
    output = Output.of(Model(output=kind), agreed)  # type: ignore[arg-type]
    torch.manual_seed(0)
    z, y = torch.randn(54, output.width, dtype=DTYPE).round(decimals=1), torch.randint(0, labels, (54,))
    terms = loss_for(Auto(), output, agreed, DTYPE).terms(z, y)
    examples = Examples(z, y, terms, output, agreed.target_scale)
    sums = group_sums(examples, GROUPS, 3, "classification")
    return sums | compared_sums(examples, GROUPS, 3, "classification"), z, y, output


@pytest.mark.parametrize(("labels", "kind"), [(4, "softmax"), (2, "softmax"), (2, "sigmoid"), (4, "sigmoid")])
def test_classification(labels: int, kind: str) -> None:
    sums, z, y, output = classified(labels, kind)
    guesses, scores = output.codes(z).numpy(), output.scores(z).numpy()
    whole, each = finish(total(sums), "classification"), finish(sums, "classification")
    for group in (None, 0, 1):
        chosen = slice(None) if group is None else group == GROUPS
        found = {
            name: value[0 if group is None else group] for name, value in (each if group is not None else whole).items()
        }
        true, guessed = y[chosen].numpy(), guesses[chosen]
        assert np.isclose(found["accuracy"], sk.accuracy_score(true, guessed))
        recalls = sk.recall_score(true, guessed, labels=np.unique(true), average="macro")
        assert np.isclose(found["balanced_accuracy"], recalls)
        assert np.isclose(found["macro_f1"], sk.f1_score(true, guessed, average="macro"))
    assert np.isclose(whole["balanced_accuracy"][0], sk.balanced_accuracy_score(y, guesses))
    if kind == "softmax":
        assert np.isclose(whole["loss"][0], sk.log_loss(y, scores))
    assert "auc" not in whole, "areas under the curve of parts do not add up"
    first = y[GROUPS == 0]
    if labels == 2:
        assert np.isclose(each["auc"][0], sk.roc_auc_score(first, scores[GROUPS == 0][:, 1]))
    else:
        areas = [sk.roc_auc_score(first == code, scores[GROUPS == 0][:, code]) for code in range(labels)]
        assert np.isclose(each["auc"][0], np.mean(areas))
    assert np.isnan(each["auc"][2]), "one row has nothing to be ranked against"


@pytest.mark.parametrize(("labels", "kind"), [(4, "softmax"), (2, "sigmoid")])
def test_the_loss_is_the_plain_one_and_what_training_minimizes_is_the_objective(labels: int, kind: str) -> None:
    agreed = data_spec("classification", 1, tuple(range(labels)))
    output = Output.of(Model(output=kind), agreed)  # type: ignore[arg-type]
    torch.manual_seed(0)
    z, y = torch.randn(54, output.width, dtype=DTYPE), torch.randint(0, labels, (54,))
    weights = {"0": 3.0, "1": 0.5}
    spec: Loss = (CrossEntropy if kind == "softmax" else BinaryCrossEntropy)(label_smoothing=0.2, class_weights=weights)
    examples = Examples(z, y, loss_for(spec, output, agreed, DTYPE).terms(z, y), output, agreed.target_scale)
    whole = finish(total(group_sums(examples, GROUPS, 3, "classification")), "classification")
    assert np.isclose(whole["loss"][0], sk.log_loss(y, output.scores(z).numpy()))
    of_class = torch.tensor([3.0, 0.5, 1.0, 1.0], dtype=DTYPE)
    if kind == "softmax":
        objective = torch.nn.CrossEntropyLoss(of_class, label_smoothing=0.2)(z, y)
    else:
        smoothed, each = y * 0.8 + 0.1, of_class[y]
        chances = torch.sigmoid(z[:, 0])
        losses = -(smoothed * chances.log() + (1 - smoothed) * (1 - chances).log())
        objective = (losses * each).sum() / each.sum()
    assert np.isclose(whole["objective"][0], float(objective))


def test_regression_is_measured_in_the_targets_own_unit() -> None:
    shift, scale = np.array([1000.0, -5.0]), np.array([20.0, 0.1])
    agreed = data_spec("regression", 1, (), tuple(shift), tuple(scale))
    output = Output.of(Model(), agreed)
    torch.manual_seed(0)
    z, y = torch.randn(54, 2, dtype=DTYPE), torch.randn(54, 2, dtype=DTYPE)
    terms = loss_for(Auto(), output, agreed, DTYPE).terms(z, y)
    sums = group_sums(Examples(z, y, terms, output, agreed.target_scale), GROUPS, 3, "regression")
    raw, truth = z.numpy() * scale + shift, y.numpy() * scale + shift
    whole = finish(total(sums), "regression")
    assert np.isclose(whole["mae"][0], sk.mean_absolute_error(truth, raw))
    assert np.isclose(whole["rmse"][0], sk.root_mean_squared_error(truth, raw))
    assert np.isclose(whole["r2"][0], sk.r2_score(truth, raw))
    each = finish(sums, "regression")
    assert np.allclose(each["r2"][:2], [sk.r2_score(truth[g == GROUPS], raw[g == GROUPS]) for g in range(2)])
    assert np.isnan(each["r2"][2]), "a single row has no spread to explain"


def test_a_group_without_rows_has_no_metrics() -> None:
    agreed = data_spec("classification", 1, (0, 1))
    output = Output.of(Model(), agreed)
    nothing = torch.empty(0, 2)
    targets, loss = torch.empty(0, dtype=torch.int64), {"loss": nothing[:, 0]}
    sums = group_sums(Examples(nothing, targets, loss, output, agreed.target_scale), GROUPS[:0], 1, "classification")
    assert all(np.isnan(value[0]) for value in finish(sums, "classification").values())


@pytest.mark.parametrize(
    ("column", "better"),
    [
        ("test_accuracy", True),
        ("holdout_balanced_accuracy", True),
        ("personal_accuracy_worst_10", True),
        ("holdout_accuracy_variance", False),
        ("holdout_rmse_mean", False),
        ("holdout_rmse_jain", True),
        ("validation_r2", True),
        ("validation_auc", True),
        ("train_loss", False),
        ("bytes_up", False),
        ("epsilon_add_or_remove_one", False),
        ("accuracy_seconds", False),
    ],
)
def test_whether_more_of_a_column_is_better(column: str, better: bool) -> None:
    assert more_is_better(column) == better


def test_a_metric_is_one_class() -> None:
    """All that another one needs: sums, the pooled metric, its direction and where a scenario may name it."""

    class Confidence(Metric, name="confidence", tasks=("classification",), more_is_better=True):
        """The mean score of the class that is predicted."""

        def terms(self, examples: Examples) -> dict[str, np.ndarray]:
            return {"confidence": examples.scores.max(axis=1)}

        def finish(self, sums: Sums) -> np.ndarray:
            return np.asarray(sums["confidence"] / sums["examples"])

    try:
        sums, z, _, output = classified(4, "softmax")
        expected = output.scores(z).numpy().max(axis=1)
        assert finish(total(sums), "classification")["confidence"][0] == pytest.approx(expected.mean())
        assert finish(sums, "classification")["confidence"][1] == pytest.approx(expected[GROUPS == 1].mean())
        assert more_is_better("test_confidence")
        assert more_is_better("holdout_confidence_best_10")
        assert Competition.model_validate({"name": "competition", "score": "confidence"}).judged_by == "confidence"
    finally:
        del METRICS["confidence"]
