"""Predictions for rows in a file are those of the model."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits

import hothouse
from hothouse.predict import predict


@pytest.fixture(scope="module")
def digits(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    out = tmp_path_factory.mktemp("run") / "digits"
    return hothouse.run(quickstart, overrides=["federation.rounds=10"], engine="local", out=out)


def predicted(run: hothouse.Run, path: Path) -> list[dict[str, str]]:
    into = io.StringIO()
    predict(run.model, path, into)
    return list(csv.DictReader(io.StringIO(into.getvalue())))


@pytest.mark.parametrize("form", ["npy", "npz", "csv"])
def test_labels_and_their_probabilities(digits: hothouse.Run, tmp_path: Path, form: str) -> None:
    rows, path = load_digits().data[:50], tmp_path / f"rows.{form}"
    if form == "npy":
        np.save(path, rows.reshape(50, 8, 8).astype(np.uint8))
    elif form == "npz":
        np.savez(path, x=rows)
    else:
        np.savetxt(path, rows, delimiter=",", header=",".join(f"p{n}" for n in range(64)), comments="")
    found = predicted(digits, path)
    assert [int(line["prediction"]) for line in found] == digits.model.predict(torch.tensor(rows))
    chances = digits.model(torch.tensor(rows)).softmax(dim=1).max(dim=1).values
    assert np.allclose([float(line["probability"]) for line in found], chances.detach(), atol=1e-5)


def test_targets_in_their_own_unit(tmp_path: Path) -> None:
    run = hothouse.run(
        {
            "data": {"source": {"kind": "sklearn", "name": "diabetes"}},
            "training": {"optimizer": {"name": "sgd", "lr": 0.02}},
        },
        engine="local",
        out=tmp_path / "run",
    )
    rows = load_diabetes(scaled=False).data
    np.save(tmp_path / "rows.npy", rows)
    found = [float(line["prediction"]) for line in predicted(run, tmp_path / "rows.npy")]
    assert 100 < np.mean(found) < 200


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (np.zeros((3, 63)), "rows.npy", "expected rows of 64 numbers, found 63"),
        (np.array([["a"] * 64]), "rows.npy", "expected rows of 64 numbers"),
        (b"a,b\n1,x\n", "rows.csv", "cannot be read as rows of numbers"),
        (b"PK garbage", "rows.npz", "cannot be read as rows of numbers"),
        (None, "rows.npy", "no such file"),
    ],
)
def test_other_rows_are_refused(
    digits: hothouse.Run, tmp_path: Path, content: np.ndarray | bytes | None, name: str, message: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(hothouse.InputError, match=message):
        predicted(digits, path)
