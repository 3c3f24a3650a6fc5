"""Augmentations of tables: noise in the unit of each column, values that go missing as others do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clients.augmentation import Pipeline
from common.data.augmentable import check_augmentation
from common.data.prepared import Prepared
from common.data.table import Column
from common.errors import InputError
from common.scenario.training import Training
from tests.federations import federation, plain_meta
from tests.pipelines import keys, pipeline

RNG = np.random.default_rng(6)
NUMBERS = replace(plain_meta("classification", [0, 1], 3, 0), filling="mean")
X = torch.tensor(RNG.normal(size=(4000, 3)) * [1, 10, 0] + 5)


def test_noise_is_in_the_unit_of_the_column() -> None:
    made = pipeline(NUMBERS, {"kind": "feature_noise", "sigma": 0.2}, spread=np.array([1.0, 10.0, 0.0]))
    added = (made.change(keys(4000))(X.clone()) - X).numpy()
    assert added.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.1)
    assert added.std(axis=0) == pytest.approx(np.array([0.2, 2.0, 0.0]), rel=0.05)
    assert abs(np.corrcoef(added[:, 0], added[:, 1])[0, 1]) < 0.05


def test_noise_leaves_gaps_and_categories_alone() -> None:
    x = X.clone()
    x[::2, 0] = torch.nan
    made = pipeline(NUMBERS, {"kind": "feature_noise"}, spread=np.array([1.0, 10.0, 0.0]))
    found = made.change(keys(4000))(x.clone())
    assert torch.equal(found.isnan(), x.isnan())
    assert torch.equal(found[:, 2], x[:, 2])


def test_values_go_missing_as_often_as_said() -> None:
    found = pipeline(NUMBERS, {"kind": "feature_dropout", "rate": 0.25}).change(keys(4000))(X.clone())
    gone = found.isnan().numpy()
    assert gone.mean(axis=0) == pytest.approx(np.full(3, 0.25), abs=0.025)
    assert (gone[:, 0] & gone[:, 1]).mean() == pytest.approx(0.0625, abs=0.015)
    assert torch.equal(found[~found.isnan()], X[~found.isnan()])


def test_where_nothing_fills_gaps_a_missing_number_is_0_and_a_missing_category_none() -> None:
    meta = replace(NUMBERS, filling="none", columns=[Column("a"), Column("b"), Column("c", ("u", "v"))])
    found = pipeline(meta, {"kind": "feature_dropout", "rate": 1.0}).change(keys(4000))(X.clone())
    assert bool((found[:, :2] == 0).all())
    assert bool(found[:, 2].isnan().all())


@pytest.mark.parametrize("kind", ["feature_dropout", "feature_noise"])
def test_probability_is_how_many_rows_are_changed(kind: str) -> None:
    rate = {"rate": 1.0} if kind == "feature_dropout" else {}
    for probability in (0.0, 0.4, 1.0):
        made = pipeline(NUMBERS, {"kind": kind, "probability": probability, **rate}, spread=np.ones(3))
        changed = (made.change(keys(4000))(X.clone()) != X).any(dim=1).double().mean()
        assert float(changed) == pytest.approx(probability, abs=0.03)


class TestInterpolation:
    """Points between a row and another of its class at the same client."""

    @pytest.fixture
    def prepared(self, tmp_path: Path) -> Prepared:
        return federation(tmp_path, [40, 30], held=[5, 5])

    def made(self, prepared: Prepared, **options: float) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([prepared.training_examples(client) for client in (0, 1)])
        specs_ = Training(augmentation=[{"kind": "interpolation", "probability": 1.0, **options}]).augmentation  # type: ignore[arg-type]
        made = Pipeline(specs_, prepared.meta, np.empty(0), prepared)
        return rows, np.asarray(made.change(keys(len(rows)), rows)(torch.tensor(prepared.x[rows])))

    def test_lies_on_the_line_to_a_row_of_its_class_and_client(self, prepared: Prepared) -> None:
        rows, found = self.made(prepared, most=0.8)
        shares = []
        for row, point in zip(rows.tolist(), found, strict=True):
            client = 0 if row in prepared.training_examples(0) else 1
            kin = [other for other in prepared.training_examples(client) if prepared.y[other] == prepared.y[row]]
            lines = [(other, prepared.x[other] - prepared.x[row]) for other in kin if other != row]
            on = [np.dot(point - prepared.x[row], way) / np.dot(way, way) for _, way in lines]
            near = [abs(prepared.x[row] + u * way - point).max() for u, (_, way) in zip(on, lines, strict=True)]
            assert min(near) < 1e-12, "of nobody else's and of no other class's"
            shares.append(on[int(np.argmin(near))])
        assert min(shares) >= 0
        assert 0.6 < max(shares) <= 0.8

    def test_not_at_all_is_the_row_itself(self, prepared: Prepared) -> None:
        rows, found = self.made(prepared, most=0.0)
        assert np.array_equal(found, prepared.x[rows])

    def test_is_not_for_a_regression(self) -> None:
        spec = Training(augmentation=["interpolation"]).augmentation  # type: ignore[list-item]
        with pytest.raises(InputError, match="within a class, but the task is a regression"):
            check_augmentation(spec, plain_meta("regression", [], 3, 1))
