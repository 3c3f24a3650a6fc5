"""NumPy .npz archives: x_train and y_train, and optionally x_test, y_test and client."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.sources.files import digest, existing_file
from common.data.table import Table, encode
from common.errors import InputError
from common.scenario.sources import NpzSource

_KNOWN = ("x_train", "y_train", "x_test", "y_test", "client")


def fingerprint(spec: NpzSource) -> str:
    """A hash of the archive."""
    return digest([existing_file(spec.path, "data.source.path")])


def read(spec: NpzSource) -> Table:
    """Rows of any shape, flattened; labels as codes, targets as float64 of shape (rows, targets)."""
    arrays = _arrays(spec)
    x, y, tests = arrays["x_train"], arrays["y_train"], 0
    if "x_test" in arrays:
        tests = len(arrays["x_test"])
        if arrays["x_test"].shape[1:] != x.shape[1:]:
            raise InputError(
                f"{spec.path}: x_test: expected rows of shape {x.shape[1:]}, found {arrays['x_test'].shape[1:]}"
            )
        if arrays["y_test"].shape[1:] != y.shape[1:]:
            raise InputError(f"{spec.path}: y_test: expected the shape of y_train, found {arrays['y_test'].shape}")
        x, y = np.concatenate([x, arrays["x_test"]]), np.concatenate([y, arrays["y_test"]])
    groups = arrays.get("client")
    if groups is not None and groups.shape != arrays["y_train"].shape[:1]:
        raise InputError(f"{spec.path}: client: expected one per row of x_train, found shape {groups.shape}")
    flat = np.ascontiguousarray(x.reshape(len(x), -1))
    shape = x.shape[1:] or (1,)
    counted = y.dtype.kind in "iubUS" and y.ndim == 1
    if spec.task == "classification" or (spec.task == "auto" and counted):
        codes, labels = encode(_labels(spec, y))
        return Table(flat, codes, "classification", labels, tests, shape, groups=groups)
    if y.dtype.kind not in "iubf":
        raise InputError(f"{spec.path}: y_train: expected numbers for a regression, found {y.dtype}")
    targets = y.reshape(len(y), -1).astype(np.float64)
    if not np.isfinite(targets).all():
        raise InputError(f"{spec.path}: y_train: a target is NaN or infinite")
    return Table(flat, targets, "regression", [], tests, shape, groups=groups)


def _arrays(spec: NpzSource) -> dict[str, NDArray[Any]]:
    path = existing_file(spec.path, "data.source.path")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: expected an .npz archive of named arrays, found a single array")
        with archive:
            arrays = {name: _member(archive, name, path) for name in _KNOWN if name in archive.files}
            found = ", ".join(archive.files) or "nothing"
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{path}: damaged or not an .npz archive ({error})") from None
    except ValueError:
        raise InputError(f"{path}: not an .npz archive") from None
    for needed, beside in (("x_train", None), ("y_train", None), ("x_test", "y_test"), ("y_test", "x_test")):
        if needed not in arrays and (beside is None or beside in arrays):
            raise InputError(f"{path}: expected an array {needed}; the archive has {found}")
    for split in ("train", "test"):
        if f"x_{split}" in arrays and arrays[f"x_{split}"].shape[:1] != arrays[f"y_{split}"].shape[:1]:
            x, y = arrays[f"x_{split}"].shape[:1], arrays[f"y_{split}"].shape[:1]
            raise InputError(f"{path}: y_{split}: expected one per row of x_{split} ({x}), found {y}")
    if arrays["x_train"].size == 0:
        raise InputError(f"{path}: x_train is empty")
    return arrays


def _member(archive: Mapping[str, NDArray[Any]], name: str, path: Path) -> NDArray[Any]:
    try:
        array = archive[name]
    except ValueError:
        raise InputError(f"{path}: {name}: an array of Python objects is never read; save plain numbers") from None
    if name.startswith("x_") and array.dtype.kind not in "iubf":
        raise InputError(f"{path}: {name}: expected numbers, found {array.dtype}")
    return array


def _labels(spec: NpzSource, y: NDArray[Any]) -> NDArray[Any]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(f"{spec.path}: y_train: expected one label per row, found shape {y.shape}")
    if y.dtype.kind == "f":
        if not np.array_equal(y, np.round(y)):
            raise InputError(f"{spec.path}: y_train: expected whole numbers or text as labels, found fractions")
        return y.astype(np.int64)
    return y
