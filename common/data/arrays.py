"""Arrays as a table: x_train and y_train, and optionally x_test, y_test and client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.labels import encode, encode_names, one_hot
from common.data.table import Table
from common.errors import InputError
from common.scenario.sources import TaskChoice

KNOWN = ("x_train", "y_train", "x_test", "y_test", "client")


def table_of(
    arrays: Mapping[str, NDArray[Any]], origin: str, task: TaskChoice = "auto", there: Sequence[str] = ()
) -> Table:
    """Rows of any shape, flattened; labels as codes, targets of shape (rows, targets).

    `origin` is where they are from and `there` are the names of all that is there, for messages. Raises InputError
    where arrays do not go together.
    """
    _check(arrays, origin, there or list(arrays))
    x, y, tests, hints = arrays["x_train"], arrays["y_train"], 0, list[str]()
    if "x_test" in arrays:
        tests = len(arrays["x_test"])
        if arrays["x_test"].shape[1:] != x.shape[1:]:
            raise InputError(
                f"{origin}: x_test: expected rows of shape {x.shape[1:]}, found {arrays['x_test'].shape[1:]}"
            )
        if arrays["y_test"].shape[1:] != y.shape[1:]:
            raise InputError(f"{origin}: y_test: expected the shape of y_train, found {arrays['y_test'].shape}")
        kinds = [arrays[name].dtype for name in ("x_train", "x_test")]
        if kinds[0] != kinds[1] and np.uint8 in kinds:
            raise InputError(
                f"{origin}: x_test: expected {kinds[0]} as in x_train, found {kinds[1]}; uint8 is divided by 255"
            )
        if {arrays[name].dtype.kind in "SU" for name in ("y_train", "y_test")} == {True, False}:
            raise InputError(f"{origin}: y_test: expected {y.dtype} as in y_train, found {arrays['y_test'].dtype}")
        x, y = np.concatenate([x, arrays["x_test"]]), np.concatenate([y, arrays["y_test"]])
    groups = arrays.get("client")
    if groups is not None and groups.shape != arrays["y_train"].shape[:1]:
        raise InputError(f"{origin}: client: expected one per row of x_train, found shape {groups.shape}")
    codes_of_clients, client_names = (None, []) if groups is None else _clients(origin, groups)
    labels = _labels(origin, task, y, hints)
    if labels is not None:
        codes, names = encode(labels, f"{origin}: y_train", "data.source.task")
    elif y.dtype.kind in "iubf":
        codes, names = y.reshape(len(y), -1), []
    else:
        raise InputError(f"{origin}: y_train: expected numbers for a regression, found {y.dtype}")
    return Table(
        x.reshape(len(x), -1),
        codes,
        "regression" if labels is None else "classification",
        names,
        tests,
        row_shape=x.shape[1:] or (1,),
        groups=codes_of_clients,
        group_names=client_names,
        hints=hints,
        origin=origin,
    )


def _labels(origin: str, task: TaskChoice, y: NDArray[Any], hints: list[str]) -> NDArray[Any] | None:
    """The labels in y, shape (rows,); None where it holds targets. What was guessed is told in `hints`."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    hot = y.dtype.kind in "iubf" and one_hot(y)
    counted = y.dtype.kind in "iubSU"
    if task == "regression":
        return None
    if task == "classification":
        if y.ndim != 1 and not hot:
            raise InputError(f"{origin}: y_train: expected one label per row or one-hot rows, found shape {y.shape}")
        return _classes(y) if hot else y
    if y.ndim == 1 and counted:
        return y
    if hot and counted:
        hints.append(
            f"{origin}: y_train: its one-hot rows are taken for {y.shape[1]} classes; "
            "data.source.task: regression takes them for targets"
        )
        return _classes(y)
    if y.ndim != 1 and y.dtype.kind in "SU":
        raise InputError(f"{origin}: y_train: expected one label per row, found shape {y.shape}")
    if hot or (y.dtype.kind == "f" and y.ndim == 1 and np.array_equal(y, np.round(y))):
        hints.append(
            f"{origin}: y_train: {'one-hot' if hot else 'whole'} numbers of type {y.dtype} are taken for targets "
            "of a regression; data.source.task: classification takes them for labels"
        )
    elif counted:
        hints.append(f"{origin}: y_train: {y[0].size} columns of whole numbers are taken for a regression's targets")
    return None


def _classes(hot: NDArray[Any]) -> NDArray[Any]:
    classes: NDArray[Any] = hot.argmax(axis=1)
    return classes


def _check(arrays: Mapping[str, NDArray[Any]], origin: str, names: Sequence[str]) -> None:
    """Raise InputError where an array is missing, or is not what its name says."""
    for needed, beside in (("x_train", None), ("y_train", None), ("x_test", "y_test"), ("y_test", "x_test")):
        if needed not in arrays and (beside is None or beside in arrays):
            raise InputError(f"{origin}: expected an array {needed}; found {', '.join(names) or 'nothing'}")
    for name, array in arrays.items():
        if array.ndim == 0:
            raise InputError(f"{origin}: {name}: expected an array of rows, found a single value")
        if name.startswith("x_") and array.dtype.kind not in "iubf":
            raise InputError(f"{origin}: {name}: expected numbers, found {array.dtype}")
    for split in ("train", "test"):
        if f"x_{split}" in arrays and arrays[f"x_{split}"].shape[:1] != arrays[f"y_{split}"].shape[:1]:
            rows, answers = arrays[f"x_{split}"].shape[0], arrays[f"y_{split}"].size
            raise InputError(
                f"{origin}: y_{split}: expected one for each of the {rows} rows of x_{split}, found {answers}"
            )
    if arrays["x_train"].size == 0:
        raise InputError(f"{origin}: x_train is empty")


def _clients(origin: str, groups: NDArray[Any]) -> tuple[NDArray[np.int64], list[str]]:
    # Refuses what is neither a whole number nor a text.
    codes, names = encode(groups, f"{origin}: client")
    own, ordered = encode_names(names)
    return own[codes], ordered
