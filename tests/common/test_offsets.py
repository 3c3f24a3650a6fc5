"""What is small beside a large offset is not lost: differences are taken in float64, and rounded then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

import hothouse
from common.data.transform import Transform
from tests.federations import data_spec

START = 1_764_000_000_000.0
"""Milliseconds since 1970; float32 holds multiples of 131,072 there."""


@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_rows_are_shifted_before_they_are_rounded(kind: type) -> None:
    raw = np.array([[START], [START + 15_000], [START + 60_000]])
    agreed = data_spec("classification", 1, ("x",), shift=raw.mean(axis=0), scale=raw.std(axis=0))
    found = Transform(agreed, torch.float32)(torch.from_numpy(raw.astype(kind)))
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), ((raw - raw.mean(axis=0)) / raw.std(axis=0)).astype(np.float32))


def test_rows_of_float32_are_what_they_are() -> None:
    raw = np.array([[1.5], [2.5], [7.5]], np.float32)
    agreed = data_spec("classification", 1, ("x",), shift=[3.1], scale=[2.7])
    found = Transform(agreed, torch.float32)(torch.from_numpy(raw)).numpy()
    assert np.array_equal(found, (raw - np.float32(3.1)) / np.float32(2.7))


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_time_tells_early_from_late(tmp_path: Path, engine: str) -> None:
    rng = np.random.default_rng(0)
    times = START + rng.integers(0, 60_000, 400)
    labels = np.where(times - START > 30_000, "late", "early")
    (tmp_path / "t.csv").write_text("t,y\n" + "".join(f"{t:.0f},{y}\n" for t, y in zip(times, labels, strict=True)))
    run = hothouse.run(scenario(tmp_path / "t.csv", "y", engine), engine="local", out=tmp_path / "run")
    assert run.metrics.test_accuracy.iloc[-1] > 0.95
    assert run.model.predict(torch.tensor([[START + 1000], [START + 59_000]], dtype=torch.float64)) == ["early", "late"]


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_target_with_an_offset_is_learned_as_well_as_by_least_squares(tmp_path: Path, engine: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.random(400) * 10
    y = 1_764_000_000 + np.round(x * 60 + rng.normal(0, 3, 400))
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{a:.4f},{b:.0f}\n" for a, b in zip(x, y, strict=True)))
    run = hothouse.run(scenario(tmp_path / "t.csv", "y", engine), engine="local", out=tmp_path / "run")
    best = LinearRegression().fit(x[:, None], y)
    assert run.metrics.test_rmse.iloc[-1] < 1.2 * np.sqrt(np.mean((best.predict(x[:, None]) - y) ** 2))
    found = run.model(torch.tensor([[5.0]], dtype=torch.float64))
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(best.predict([[5.0]]).item(), abs=2.0)


def scenario(path: Path, target: str, engine: str) -> dict[str, object]:
    return {
        "data": {
            "source": {"kind": "csv", "path": str(path), "target": target},
            "test_fraction": 0.25,
            "partition": {"scheme": "iid", "clients": 4},
        },
        "model": {"layers": []},
        "training": {"epochs": 5, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1}, "trainer": engine},
        "federation": {"rounds": 10},
    }
