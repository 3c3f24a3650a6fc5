"""Fairness over clients, against the formulas written out in NumPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from common.metrics.fairness import fairness


def test_numbers_worked_out_by_hand() -> None:
    found = fairness(np.array([0.5, 1.0, 0.75, 0.25]), more_is_better=True)
    assert found["mean"] == 0.625
    assert found["worst_10"] == 0.25
    assert found["best_10"] == 1.0
    assert found["variance"] == pytest.approx((0.125**2 + 0.375**2) * 2 / 4)
    assert found["jain"] == pytest.approx(2.5**2 / (4 * (0.25 + 1 + 0.5625 + 0.0625)))


def test_numbers_of_many_clients_against_numpy() -> None:
    values = np.random.default_rng(0).random(237)
    found, ordered = fairness(values, more_is_better=True), np.sort(values)
    assert found["worst_10"] == pytest.approx(ordered[:24].mean()), "⌈23.7⌉ clients"
    assert found["best_10"] == pytest.approx(ordered[-24:].mean())
    assert found["variance"] == pytest.approx(values.var(ddof=0))
    assert found["jain"] == pytest.approx(np.mean(values) ** 2 / np.mean(values**2))


def test_where_less_is_better_the_worst_are_the_highest() -> None:
    found = fairness(np.arange(1.0, 21.0), more_is_better=False)
    assert (found["worst_10"], found["best_10"]) == (19.5, 1.5)


def test_clients_without_a_number_do_not_count() -> None:
    assert fairness(np.array([np.nan, 0.5, np.nan, 0.5]), True) == fairness(np.array([0.5, 0.5]), True)
    assert fairness(np.array([np.nan]), True) == {}


def test_jains_index_runs_from_one_over_n_to_one() -> None:
    assert fairness(np.array([0, 0, 0, 7.0]), True)["jain"] == 0.25
    assert fairness(np.full(9, 0.3), True)["jain"] == pytest.approx(1)
    assert fairness(np.zeros(3), True)["jain"] == 1, "all are equal"
