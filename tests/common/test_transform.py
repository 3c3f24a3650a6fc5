"""Raw rows become what the network sees as scikit-learn's own transformers would make it."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from common.data.data_spec import sorted_columns
from common.data.table import Column
from common.data.transform import Transform
from tests.federations import data_spec

NAN = np.nan
RAW = np.array([[1.0, 0, 10], [2, 1, NAN], [NAN, NAN, 30], [5, 2, 50]])
COLUMNS = (Column("n"), Column("c", ("a", "b", "d")), Column("m"))


def test_numbers_categories_gaps_and_indicators() -> None:
    numbers = RAW[:, [0, 2]]
    filled = np.where(np.isnan(numbers), np.nanmean(numbers, axis=0), numbers)
    known_mean, known_deviation = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
    agreed = data_spec("classification", 3, ("x",))
    agreed = data_spec(
        "classification",
        3,
        ("x",),
        shift=[known_mean[0], 0, known_mean[1]],
        scale=[known_deviation[0], 1, known_deviation[1]],
        fill=[known_mean[0], NAN, known_mean[1]],
    )
    object.__setattr__(agreed, "columns", COLUMNS)
    object.__setattr__(agreed, "indicators", (0, 2))
    ours = Transform(agreed, torch.float64)(torch.tensor(RAW)).numpy()
    assert agreed.features == ours.shape[1] == 2 + 3 + 2
    scaled = (filled - known_mean) / known_deviation
    spread_out = OneHotEncoder(categories=[[0.0, 1.0, 2.0]], handle_unknown="ignore", sparse_output=False)
    gaps = MissingIndicator().fit_transform(numbers)
    assert np.allclose(ours, np.hstack([scaled, spread_out.fit_transform(RAW[:, [1]]), gaps]))


def test_without_gaps_scaling_is_the_standard_scaler() -> None:
    rows = np.random.default_rng(0).normal(3, 5, (50, 4))
    scaler = StandardScaler().fit(rows)
    agreed = data_spec("classification", 4, ("x",), shift=scaler.mean_, scale=scaler.scale_, fill=scaler.mean_)
    assert np.allclose(Transform(agreed, torch.float64)(torch.tensor(rows)), scaler.transform(rows))


def test_a_clients_own_fill_takes_the_agreed_ones_place_where_it_has_one() -> None:
    agreed = data_spec("classification", 2, ("x",), fill=[1.0, 2.0])
    raw = torch.tensor([[[NAN, NAN], [5.0, NAN]], [[NAN, 7.0], [NAN, NAN]]], dtype=torch.float64)
    own = torch.tensor([[[10.0, NAN]], [[20.0, 30.0]]], dtype=torch.float64)
    filled = Transform(agreed, torch.float64)(raw, own)
    assert filled.tolist() == [[[10, 2], [5, 2]], [[20, 7], [20, 30]]]


def test_categories_are_in_order() -> None:
    assert sorted_columns([Column("n"), Column("c", ("b", "d", "a"))]) == (Column("n"), Column("c", ("a", "b", "d")))


def test_the_pipeline_as_a_whole_is_scikit_learns() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 3))
    rows[:, 1] = np.random.default_rng(2).integers(0, 3, 30)
    theirs = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), [0, 2]), (OneHotEncoder(sparse_output=False), [1])
    ).fit_transform(rows)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    agreed = data_spec("classification", 3, ("x",), shift=[mean[0], 0, mean[2]], scale=[deviation[0], 1, deviation[2]])
    object.__setattr__(agreed, "columns", COLUMNS)
    assert np.allclose(Transform(agreed, torch.float64)(torch.tensor(rows)), theirs)
