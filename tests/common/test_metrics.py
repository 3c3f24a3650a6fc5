"""Metrics from sums equal scikit-learn's on the rows themselves, for a whole and for each group."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from common.losses import loss_for
from common.metrics import Examples, MeasuredMetrics, Sums, more_is_better
from common.models import Output
from common.scenario.evaluation import Evaluation
from common.scenario.losses import Auto, BinaryCrossEntropy, CrossEntropy, Loss
from common.scenario.model import MLPModel
from tests.federations import data_spec

GROUPS = np.repeat([0, 1, 2], [50, 3, 1])
DTYPE = torch.float64
CLASSIFICATION = MeasuredMetrics("classification", Evaluation(auc=True))
REGRESSION = MeasuredMetrics("regression", Evaluation())


def classified(labels: int, kind: str) -> tuple[Sums, torch.Tensor, torch.Tensor, Output]:
    agreed = data_spec("classification", 1, tuple(range(labels)))
    output = Output.of(MLPModel(output=kind), agreed)  # type: ignore[arg-type]
    torch.manual_seed(0)
    z, y = torch.randn(54, output.width, dtype=DTYPE).round(decimals=1), torch.randint(0, labels, (54,))
    terms = loss_for(Auto(), output, agreed, DTYPE).terms(z, y)
    examples = Examples(z, y, terms, output, agreed.target_scale)
    sums = CLASSIFICATION.group_sums(examples, GROUPS, 3)
    return sums | CLASSIFICATION.compared_sums(examples, GROUPS, 3), z, y, output


@pytest.mark.parametrize(("labels", "kind"), [(4, "softmax"), (2, "softmax"), (2, "sigmoid"), (4, "sigmoid")])
def test_classification(labels: int, kind: str) -> None:
    sums, z, y, output = classified(labels, kind)
    guesses, scores = output.codes(z).numpy(), output.scores(z).numpy()
    whole, each = CLASSIFICATION.finish(CLASSIFICATION.total(sums)), CLASSIFICATION.finish(sums)
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
    output = Output.of(MLPModel(output=kind), agreed)  # type: ignore[arg-type]
    torch.manual_seed(0)
    z, y = torch.randn(54, output.width, dtype=DTYPE), torch.randint(0, labels, (54,))
    weights = {"0": 3.0, "1": 0.5}
    spec: Loss = (CrossEntropy if kind == "softmax" else BinaryCrossEntropy)(label_smoothing=0.2, class_weights=weights)
    examples = Examples(z, y, loss_for(spec, output, agreed, DTYPE).terms(z, y), output, agreed.target_scale)
    whole = CLASSIFICATION.finish(CLASSIFICATION.total(CLASSIFICATION.group_sums(examples, GROUPS, 3)))
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
    output = Output.of(MLPModel(), agreed)
    torch.manual_seed(0)
    z, y = torch.randn(54, 2, dtype=DTYPE), torch.randn(54, 2, dtype=DTYPE)
    terms = loss_for(Auto(), output, agreed, DTYPE).terms(z, y)
    sums = REGRESSION.group_sums(Examples(z, y, terms, output, agreed.target_scale), GROUPS, 3)
    raw, truth = z.numpy() * scale + shift, y.numpy() * scale + shift
    whole = REGRESSION.finish(REGRESSION.total(sums))
    assert np.isclose(whole["mae"][0], sk.mean_absolute_error(truth, raw))
    assert np.isclose(whole["rmse"][0], sk.root_mean_squared_error(truth, raw))
    assert np.isclose(whole["r2"][0], sk.r2_score(truth, raw))
    each = REGRESSION.finish(sums)
    assert np.allclose(each["r2"][:2], [sk.r2_score(truth[g == GROUPS], raw[g == GROUPS]) for g in range(2)])
    assert np.isnan(each["r2"][2]), "a single row has no spread to explain"


def test_a_group_without_rows_has_no_metrics() -> None:
    agreed = data_spec("classification", 1, (0, 1))
    output = Output.of(MLPModel(), agreed)
    nothing = torch.empty(0, 2)
    targets, loss = torch.empty(0, dtype=torch.int64), {"loss": nothing[:, 0]}
    examples = Examples(nothing, targets, loss, output, agreed.target_scale)
    sums = CLASSIFICATION.group_sums(examples, GROUPS[:0], 1)
    assert all(np.isnan(value[0]) for value in CLASSIFICATION.finish(sums).values())


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
