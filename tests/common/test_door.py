"""Rows of any source become what training takes, or are refused by their place; labels stay what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data import prepare
from common.data.labels import encode
from common.data.normalize import normalize_table, plain_numbers
from common.data.prepared import Prepared
from common.data.table import Column, Table
from common.errors import InputError
from common.scenario import load_scenario

WHOLE = np.arange(6) % 3


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("u1", "u1"),
        ("f4", "f4"),
        ("f8", "f8"),
        (">f4", "f4"),
        (">f8", "f8"),
        ("f2", "f4"),
        ("g", "f8"),
        ("?", "f4"),
        ("i1", "f4"),
        (">i2", "f4"),
        ("u4", "f4"),
        ("u8", "f4"),
    ],
)
def test_numbers_keep_their_values(given: str, taken: str) -> None:
    rows = np.array([[0, 1], [1, 0], [1, 1]]).astype(given)
    plain = plain_numbers(rows)
    assert plain.dtype == np.dtype(taken)
    assert plain.dtype.isnative
    assert np.array_equal(plain, rows)


def test_whole_numbers_beyond_single_precision_get_double() -> None:
    rows = np.array([[2**24 + 1, -3]])
    assert plain_numbers(rows).dtype == np.float64
    assert np.array_equal(plain_numbers(rows), rows)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (np.inf, r"a\.npz: x_test: row 1, column 2: the number is infinite"),
        (-1e300, r"a\.npz: x_test: row 1, column 2: -1e\+300 is too large to compute with"),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_place(number: float, message: str) -> None:
    x = np.zeros((6, 3))
    x[5, 2] = number
    with pytest.raises(InputError, match=message):
        normalize_table(Table(x, WHOLE, "classification", [0, 1, 2], tests=2, origin="a.npz"))


def test_a_column_is_called_by_its_name() -> None:
    x = np.zeros((6, 2))
    x[3, 1] = np.inf
    with pytest.raises(InputError, match="training examples: row 3, column age"):
        normalize_table(Table(x, WHOLE, "classification", [0, 1, 2], columns=[Column("sex"), Column("age")]))


def test_a_missing_target_is_refused() -> None:
    with pytest.raises(InputError, match="y_train: row 2, column 0: the target is missing"):
        normalize_table(Table(np.zeros((3, 1)), np.array([[1.0], [2.0], [np.nan]]), "regression", origin="a.npz"))


def prepared(folder: Path, x: np.ndarray, y: np.ndarray, **data: Any) -> Prepared:
    np.savez(folder / "a.npz", x_train=x, y_train=y)
    source = {"kind": "npz", "path": str(folder / "a.npz"), **data.pop("source", {})}
    return prepare(load_scenario({"data": {"source": source, "partition": {"scheme": "iid", "clients": 2}, **data}}))


def test_a_gap_among_numbers_is_refused_unless_something_takes_its_place(tmp_path: Path) -> None:
    x = np.ones((12, 3))
    x[4, 1] = np.nan
    with pytest.raises(InputError, match="x_train: row 4, column 1: a value is missing"):
        prepared(tmp_path, x, np.arange(12) % 2)
    for kind, (filling, shown) in {
        "mean": ("mean", False),
        "median": ("median", False),
        "indicator": ("mean", True),
    }.items():
        meta = prepared(tmp_path, x, np.arange(12) % 2, missing=kind).meta
        assert (meta.filling, meta.indicators) == (filling, shown)


@pytest.mark.parametrize(
    ("y", "task", "labels", "hint"),
    [
        (np.arange(12, dtype=np.uint8)[:, None] % 3, "classification", [0, 1, 2], ""),
        (np.eye(3, dtype=int)[np.arange(12) % 3], "classification", [0, 1, 2], "one-hot rows are taken for 3 classes"),
        (np.eye(3)[np.arange(12) % 3], "regression", [], "one-hot numbers of type float64 are taken for targets"),
        (np.arange(12.0) % 3, "regression", [], "whole numbers of type float64 are taken for targets"),
        (np.ones((12, 2), int), "regression", [], "2 columns of whole numbers are taken for a regression"),
        (np.linspace(0, 1, 12), "regression", [], ""),
        (np.array([b"cat", b"dog"] * 6), "classification", ["cat", "dog"], ""),
    ],
)
def test_what_was_guessed_is_told(tmp_path: Path, y: np.ndarray, task: str, labels: list[Any], hint: str) -> None:
    meta = prepared(tmp_path, np.zeros((12, 2)), y).meta
    assert (meta.task, meta.labels) == (task, labels)
    assert [hint in told for told in meta.hints] == [True] * bool(hint)


def test_a_guess_can_be_overruled(tmp_path: Path) -> None:
    hot = prepared(tmp_path, np.zeros((12, 2)), np.eye(3)[np.arange(12) % 3], source={"task": "classification"})
    assert (hot.meta.labels, hot.meta.hints) == ([0, 1, 2], [])
    counted = prepared(tmp_path, np.zeros((12, 2)), np.arange(12) % 3, source={"task": "regression"})
    assert counted.meta.targets == 1


@pytest.mark.parametrize(
    "labels",
    [
        [2**63 + 1, 2**63 + 2],
        [9007199254740993, 9007199254740992],
        ["1", "01"],
        ["a", "a "],
        [-1, 1],
    ],
)
def test_two_labels_never_become_one(labels: list[Any]) -> None:
    codes, names = encode(np.array(labels * 2, dtype=object))
    assert [names[code] for code in codes] == labels * 2


def test_labels_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match=r"y: row 1: expected whole numbers or texts as labels, found 0\.5"):
        encode(np.array([1.0, 0.5]), "y")
    with pytest.raises(InputError, match=r"y: row 0: b'caf.xe9' is no UTF-8 text"):
        encode(np.array([b"caf\xe9"]), "y")
    with pytest.raises(InputError, match="found datetime64"):
        encode(np.array(["2020-01-01"], dtype="datetime64[D]"), "y")


def test_the_labels_of_a_table_are_kept_as_they_are_written(tmp_path: Path) -> None:
    for written, expected in {
        "1,01": ["01", "1"],
        "1,1.0": [1],
        "9007199254740993,9007199254740994": [9007199254740993, 9007199254740994],
    }.items():
        lines = [f"{n},{label}" for n in range(6) for label in written.split(",")]
        (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(lines))
        source = {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "y"}
        scenario = load_scenario({"data": {"source": source, "partition": {"scheme": "iid", "clients": 2}}})
        assert prepare(scenario).meta.labels == expected
