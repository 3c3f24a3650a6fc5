"""Metrics from sums equal scikit-learn's on the rows themselves, for a whole and for each group."""

import numpy as np
import torch
from sklearn import metrics as sk

from common.data.agreement import Agreement
from common.losses import cross_entropy, mse
from common.metrics import Sums, finish, row_sums, total

GROUPS = np.repeat([0, 1, 2], [50, 3, 1])


def grouped(terms: dict[str, torch.Tensor]) -> Sums:
    return {name: np.stack([term.numpy()[g == GROUPS].sum(axis=0) for g in range(3)]) for name, term in terms.items()}


def test_classification() -> None:
    agreement = Agreement("classification", (1,), (0, 1, 2), np.zeros(1), np.ones(1), np.zeros(0), np.ones(0))
    torch.manual_seed(0)
    outputs, targets = torch.randn(54, 3, dtype=torch.float64), torch.randint(0, 3, (54,))
    sums = grouped(row_sums(outputs, targets, cross_entropy(outputs, targets), agreement))
    guesses, chances = outputs.argmax(dim=1), outputs.softmax(dim=1)
    whole = finish(total(sums), "classification")
    assert np.isclose(whole["accuracy"][0], sk.accuracy_score(targets, guesses))
    assert np.isclose(whole["loss"][0], sk.log_loss(targets, chances))
    each = finish(sums, "classification")["accuracy"]
    assert np.allclose(each, [sk.accuracy_score(targets[g == GROUPS], guesses[g == GROUPS]) for g in range(3)])


def test_regression_is_measured_in_the_targets_own_unit() -> None:
    shift, scale = np.array([1000.0, -5.0]), np.array([20.0, 0.1])
    agreement = Agreement("regression", (1,), (), np.zeros(1), np.ones(1), shift, scale)
    torch.manual_seed(0)
    outputs, targets = torch.randn(54, 2, dtype=torch.float64), torch.randn(54, 2, dtype=torch.float64)
    sums = grouped(row_sums(outputs, targets, mse(outputs, targets), agreement))
    raw, truth = outputs.numpy() * scale + shift, targets.numpy() * scale + shift
    whole = finish(total(sums), "regression")
    assert np.isclose(whole["mae"][0], sk.mean_absolute_error(truth, raw))
    assert np.isclose(whole["rmse"][0], sk.root_mean_squared_error(truth, raw))
    assert np.isclose(whole["r2"][0], sk.r2_score(truth, raw))
    each = finish(sums, "regression")
    assert np.allclose(each["r2"][:2], [sk.r2_score(truth[g == GROUPS], raw[g == GROUPS]) for g in range(2)])
    assert np.isnan(each["r2"][2]), "a single row has no spread to explain"


def test_a_group_without_rows_has_no_metrics() -> None:
    sums = {name: np.zeros(1) for name in ("rows", "loss", "correct")}
    assert np.isnan(finish(sums, "classification")["accuracy"][0])
