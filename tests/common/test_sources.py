"""Sources read what users have, and say what is wrong with it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.sources import idx, npz, sklearn
from common.data.sources.idx import IdxSource
from common.data.sources.npz import NpzSource
from common.data.sources.sklearn import SklearnSource
from common.data.table import Table
from common.errors import InputError
from tests.conftest import shared_data

IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, rows in zip(IDX_NAMES, (30, 30, 9, 9), strict=True):
        shape = (rows, 5, 4) if "images" in name else (rows,)
        (tmp_path / name).write_bytes(idx_bytes(rng.integers(0, 3 if len(shape) == 1 else 256, shape)))
    return tmp_path


def read_idx(folder: Path) -> Table:
    return idx.read(IdxSource(path=str(folder)), 0)


def read_npz(path: Path, **options: Any) -> Table:
    return npz.read(NpzSource(path=str(path), **options), 0)


@pytest.mark.parametrize(
    ("name", "rows", "features", "classes"),
    [("digits", 1797, 64, 10), ("breast_cancer", 569, 30, 2), ("wine", 178, 13, 3), ("iris", 150, 4, 3)],
)
def test_sklearn_classifications(name: Any, rows: int, features: int, classes: int) -> None:
    table = sklearn.read(SklearnSource(name=name), 0)
    assert table.x.shape == (rows, features)
    assert sorted(np.unique(table.y)) == list(range(classes))
    assert len(table.labels) == classes
    assert table.tabular


def test_sklearn_diabetes_is_a_regression_with_raw_columns() -> None:
    table = sklearn.read(SklearnSource(name="diabetes"), 0)
    assert (table.task, table.y.shape) == ("regression", (442, 1))
    assert table.x[:, 0].min() == 19, "ages are years, not scikit-learn's scaled numbers"


def test_idx_keeps_bytes_and_appends_the_test_rows(pictures: Path) -> None:
    table = read_idx(pictures)
    assert (table.x.shape, table.x.dtype, table.tests, table.row_shape) == ((39, 20), np.uint8, 9, (5, 4))
    assert table.labels == [0, 1, 2]


def test_idx_reads_gzip_alike(pictures: Path) -> None:
    plain = read_idx(pictures)
    for name in IDX_NAMES:
        (pictures / f"{name}.gz").write_bytes(gzip.compress((pictures / name).read_bytes()))
        (pictures / name).unlink()
    assert np.array_equal(read_idx(pictures).x, plain.x)


def test_idx_reads_the_real_thing() -> None:
    table = read_idx(shared_data("fashion_mnist"))
    assert (table.x.shape, table.tests, table.labels) == ((70_000, 784), 10_000, list(range(10)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"\1\2\3\4" + data[4:], "not an idx file (it starts with 01 02 03 04)"),
        (lambda data: data[:3], "not an idx file"),
        (lambda data: data[:9], "ends within the idx header"),
        (lambda data: data[:-1], "the header promises 600 bytes for (30, 5, 4), the file has 599"),
        (lambda data: data + b"x", "the header promises 600 bytes for (30, 5, 4), the file has more"),
        (lambda data: data[:4] + b"\xff" * 4 + data[8:], "the header promises 85899345900 bytes"),
        (lambda data: b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x", "the header promises 255 dimensions"),
    ],
)
def test_a_broken_idx_file_is_named(pictures: Path, change: Any, message: str) -> None:
    file = pictures / IDX_NAMES[0]
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InputError) as caught:
        read_idx(pictures)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_truncated_gzip_file_is_named(pictures: Path) -> None:
    whole = gzip.compress((pictures / IDX_NAMES[1]).read_bytes())
    (pictures / IDX_NAMES[1]).unlink()
    (pictures / f"{IDX_NAMES[1]}.gz").write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"train-labels-idx1-ubyte\.gz: damaged gzip file"):
        read_idx(pictures)


def test_idx_files_that_do_not_belong_together_are_refused(pictures: Path) -> None:
    (pictures / IDX_NAMES[1]).write_bytes(idx_bytes(np.zeros(29)))
    with pytest.raises(InputError, match="expected 30 labels, one per image"):
        read_idx(pictures)


def test_a_missing_idx_file_or_folder_is_named(pictures: Path) -> None:
    (pictures / IDX_NAMES[3]).unlink()
    with pytest.raises(InputError, match=r"data\.source\.path: .* has no file t10k-labels-idx1-ubyte"):
        read_idx(pictures)
    with pytest.raises(InputError, match=r"no folder .*; did you mean train-images-idx3-ubyte\?"):
        read_idx(pictures / "train-images-idx3-ubyt")
    with pytest.raises(InputError, match="expected a folder"):
        read_idx(pictures / IDX_NAMES[0])


def test_npz_labels_may_be_numbers_or_text(tmp_path: Path) -> None:
    x = np.zeros((4, 2, 3), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.array(["cat", "ant", "cat", "bee"]))
    table = read_npz(tmp_path / "a.npz")
    assert (table.task, table.labels, table.y.tolist()) == ("classification", ["ant", "bee", "cat"], [2, 0, 2, 1])
    assert (table.x.shape, table.row_shape) == ((4, 6), (2, 3))
    np.savez(tmp_path / "b.npz", x_train=x, y_train=np.array([7.0, 3.0, 7.0, 7.0]))
    assert read_npz(tmp_path / "b.npz").task == "regression"
    assert read_npz(tmp_path / "b.npz", task="classification").labels == [3, 7]


def test_npz_numbers_are_targets_of_a_regression(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((4, 2)), y_train=np.arange(8.0).reshape(4, 2))
    table = read_npz(tmp_path / "a.npz")
    assert (table.task, table.y.shape, table.y.dtype) == ("regression", (4, 2), np.float64)


X = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X}, "expected an array y_train; found x_train"),
        ({"x": X, "y": X}, "expected an array x_train; found x, y"),
        ({"x_train": X, "y_train": np.zeros(3)}, "y_train: expected one for each of the 4 rows of x_train, found 3"),
        ({"x_train": X, "y_train": np.zeros(4), "x_test": X}, "expected an array y_test"),
        ({"x_train": X, "y_train": np.zeros(4), "x_test": np.zeros((1, 3)), "y_test": np.zeros(1)}, "x_test: expected"),
        ({"x_train": X[:0], "y_train": np.zeros(0)}, "x_train is empty"),
        ({"x_train": np.array([["a"]]), "y_train": np.zeros(1)}, "x_train: expected numbers"),
        ({"x_train": X.astype(object), "y_train": np.zeros(4)}, "an array of Python objects is never read"),
        ({"x_train": X, "y_train": np.zeros(4), "client": np.zeros(3)}, "client: expected one per row"),
    ],
)
def test_a_broken_npz_is_named(tmp_path: Path, arrays: Any, message: str) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read_npz(tmp_path / "rows.npz")
    assert str(caught.value).startswith(str(tmp_path / "rows.npz"))
    assert message in str(caught.value)


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "single.npy", X)
    np.savez(tmp_path / "cut.npz", x_train=X, y_train=np.zeros(4))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:-40])
    for name, message in (("text.npz", "not an .npz"), ("single.npy", "found a single array"), ("cut.npz", "damaged")):
        with pytest.raises(InputError, match=message):
            read_npz(tmp_path / name)


def test_a_source_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, x_train=X, y_train=np.zeros(4))
    spec = NpzSource(path=str(path))
    first = npz.fingerprint(spec)
    assert npz.fingerprint(spec) == first
    np.savez(path, x_train=X + 1, y_train=np.zeros(4))
    assert npz.fingerprint(spec) != first
