"""Scaling and labels are agreed from sums, as if all rows were in one place."""

import numpy as np

from common.data.data_spec import sorted_labels
from common.data.moments import Moments, combine_moments


def test_combined_moments_are_those_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(1e6, [1.0, 100.0, 1e-3], (1000, 3))
    whole = combine_moments(Moments.of(part) for part in np.array_split(rows, [3, 50, 51, 700]))
    assert np.allclose(whole.mean(), rows.mean(axis=0), rtol=1e-14)
    assert np.allclose(whole.deviation(), rows.std(axis=0), rtol=1e-9)


def test_missing_numbers_do_not_count() -> None:
    rows = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 5.0]])
    whole = combine_moments([Moments.of(rows[:2]), Moments.of(rows[2:])])
    assert whole.mean().tolist() == [2.0, 5.0]
    assert whole.deviation().tolist() == [1.0, 1.0]


def test_a_constant_column_is_divided_by_one() -> None:
    rows = np.full((7, 2), 0.1)
    rows[:, 1] = np.nan
    assert combine_moments([Moments.of(rows[:3]), Moments.of(rows[3:])]).deviation().tolist() == [1.0, 1.0]


def test_labels_are_sorted_as_numbers_or_as_texts() -> None:
    assert sorted_labels([3, 1, 10, 2]) == (1, 2, 3, 10)
    assert sorted_labels(["b", "a"]) == ("a", "b")
    assert sorted_labels([1, "a"]) == ("1", "a")
