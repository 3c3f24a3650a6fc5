"""Sources that make their rows: as their papers say, the same for the same seed, bounded in memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from common.data.sources import synthetic, teacher
from common.data.sources.synthetic import SyntheticSource
from common.data.sources.teacher import TeacherSource
from common.data.table import Table


def by_client(table: Table) -> list[np.ndarray]:
    assert table.groups is not None
    return [np.flatnonzero(table.groups == client) for client in range(len(table.group_names))]


def test_synthetic_has_the_papers_shape() -> None:
    table = synthetic.read(SyntheticSource(clients=200), 1)
    sizes = [len(rows) for rows in by_client(table)]
    assert table.x.shape[1] == 60
    assert set(np.unique(table.y)) <= set(range(10))
    assert min(sizes) >= 50
    assert max(sizes) <= 10_000
    # The median of int(lognormal(4, 2)) + 50 is e⁴ + 50.
    assert np.median(sizes) == pytest.approx(np.exp(4) + 50, rel=0.25)


def test_synthetic_features_fade_with_their_number() -> None:
    table = synthetic.read(SyntheticSource(clients=20, alpha=0.0, beta=0.0, iid=True), 1)
    assert np.allclose(table.x.var(axis=0), np.arange(1, 61) ** -1.2, rtol=0.1)


def test_alpha_and_beta_make_clients_differ() -> None:
    def spread(**options: float) -> float:
        table = synthetic.read(SyntheticSource(clients=50, **options), 2)  # type: ignore[arg-type]
        return float(np.std([table.x[rows].mean() for rows in by_client(table)]))

    assert spread(alpha=1.0, beta=3.0) > 2 * spread(alpha=1.0, beta=0.0)


def test_one_model_serves_iid_clients() -> None:
    table, other = (
        synthetic.read(SyntheticSource(clients=10, iid=iid, alpha=0.0, beta=0.0), 3) for iid in (True, False)
    )

    def apart(table: Table) -> float:
        mixes = [np.bincount(table.y[rows], minlength=10) / len(rows) for rows in by_client(table)]
        return float(np.std(mixes, axis=0).mean())

    assert apart(table) < apart(other) / 3


def test_iid_clients_are_alike_in_their_features() -> None:
    """Their means are all 0, to within their rows' spread, whatever alpha and beta are."""
    table = synthetic.read(SyntheticSource(clients=30, alpha=1.0, beta=3.0, iid=True), 1)
    deviations = np.arange(1, 61) ** -0.6
    scaled = np.stack([table.x[rows].mean(axis=0) / deviations * np.sqrt(len(rows)) for rows in by_client(table)])
    assert kstest(scaled.ravel(), "norm").pvalue > 0.01


def test_a_teachers_rows_can_be_learned_linearly() -> None:
    table = teacher.read(TeacherSource(rows=5000, features=8, classes=3, test_rows=500), 4)
    assert (table.x.shape, table.tests, table.x.dtype) == ((5500, 8), 500, np.float32)
    targets = np.eye(3)[table.y[:5000]]
    weights, *_ = np.linalg.lstsq(np.asarray(table.x[:5000]), targets, rcond=None)
    assert ((table.x[5000:] @ weights).argmax(axis=1) == table.y[5000:]).mean() > 0.9


def test_a_teacher_of_one_class_is_a_regression() -> None:
    table = teacher.read(TeacherSource(rows=2000, features=8, classes=1, noise=0.5), 4)
    x, y = np.asarray(table.x, dtype=np.float64), table.y[:, 0]
    weights, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert 1 - np.var(y - x @ weights) / np.var(y) == pytest.approx(1 / 1.25, abs=0.05)


@pytest.mark.parametrize("module", [synthetic, teacher])
def test_the_seed_decides(module: object) -> None:
    spec = SyntheticSource(clients=5) if module is synthetic else TeacherSource(rows=100)
    one, again, other = (module.read(spec, seed) for seed in (1, 1, 2))  # type: ignore[attr-defined]
    assert np.array_equal(one.x, again.x)
    assert not np.array_equal(one.x[:50], other.x[:50])
