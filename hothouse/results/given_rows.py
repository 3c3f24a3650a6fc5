"""Rows that a user gives a finished model, read from a file and looked at before the model sees them."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.data_spec import DataSpec
from common.data.images import image_shape
from common.data.normalize import faults, plain_numbers
from common.data.numbers import MISSING, number
from common.data.numpy_files import read_npy, read_npz
from common.data.sources.files import csv_rows, lines_of
from common.data.sources.pictures import Pictures, suffixes
from common.data.table import Column, category
from common.errors import InputError
from common.models.predictor import Predictor

_TEXT = "text"
"""The column of a table that holds texts."""
_ARRAYS = ("x", "x_test", "x_train")
_SEPARATORS = ",;\t|"


class InputRows(NamedTuple):
    """Rows that a user gives, as the model takes them."""

    rows: Tensor
    names: list[str] | None = None
    """What each row is called, where it has a file of its own."""


def read_rows(path: Path, model: Predictor) -> InputRows:
    """The rows in a file, or in a folder of pictures.

    Raises InputError for a file that cannot be read, for one without rows, and for rows of other shape or of numbers
    that the model has no use for.
    """
    agreed, kind = model.data_spec, path.suffix.lower()
    if path.is_dir() or kind in suffixes():
        return _pictures(path, agreed)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if agreed.vocabulary is not None:
        return InputRows(model.features(_texts(path)))
    by_name = bool(agreed.columns) and len(agreed.row_shape) == 1
    rows: NDArray[np.generic]
    if kind == ".csv":
        rows = _table(path, agreed) if by_name else _numbers(path)
    else:
        rows = _arrays(path)
    width = len(agreed.shift)
    if len(rows) == 0:
        _nothing(path)
    if rows.dtype.kind not in "iubf" or rows[0].size != width:
        raise InputError(f"{path}: expected rows of {width} numbers, found {rows[0].size} of type {rows.dtype}")
    rows = plain_numbers(rows.reshape(len(rows), -1))
    _check(path, rows, agreed)
    return InputRows(torch.from_numpy(rows))


def _pictures(path: Path, agreed: DataSpec) -> InputRows:
    """The picture in a file, or the pictures in a folder, sorted by name, read as training reads pictures."""
    shape = image_shape(agreed.row_shape)
    colors = {1: "grey", 3: "rgb"}
    fits = shape is not None and shape.channels in colors and (shape.channels == 1 or shape.channels_last)
    if shape is None or not fits or agreed.shift.any() or (agreed.scale != 255).any():
        raise InputError(f"{path}: the model takes rows of {len(agreed.shift)} numbers; it was not trained on pictures")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes()) if path.is_dir() else [path]
    if not files or not path.exists():
        raise InputError(f"{path}: no picture there")
    reader, size = Pictures(), (shape.width, shape.height)
    read = [reader.read(file, str(file), colors[shape.channels], size).reshape(-1) for file in files]
    return InputRows(torch.from_numpy(np.stack(read)), [file.name for file in files])


def _check(path: Path, rows: NDArray[np.generic], agreed: DataSpec) -> None:
    odd, _ = faults(rows)
    if odd is not None:
        raise InputError(f"{path}: row {odd[0]}, column {_name(agreed, odd[1])}: {rows[odd]:g} is no usable number")
    if rows.dtype.kind == "f":
        spread_out = np.array([column.categories is not None for column in agreed.columns] or [False] * rows.shape[1])
        gaps = np.argwhere(np.isnan(rows) & np.isnan(agreed.fill) & ~spread_out)
        if len(gaps):
            row, column = gaps[0].tolist()
            raise InputError(
                f"{path}: row {row}, column {_name(agreed, column)}: a value is missing, and the model was trained "
                "without a way to fill it (data.missing)"
            )


def _name(agreed: DataSpec, column: int) -> str:
    return agreed.columns[column].name if agreed.columns else str(column)


def _nothing(path: Path) -> list[str]:
    raise InputError(f"{path}: no rows in it")


def _texts(path: Path) -> list[str]:
    """The texts in a file: each line of a .txt, be it blank, or the column `text` of a table."""
    if path.suffix.lower() == ".txt":
        *lines, last = [line.removesuffix("\n") for line in lines_of(path)]
        return [*lines, *([last] if last else [])] or _nothing(path)
    expected = "a .txt with a text to each line, or a .csv or .tsv whose first line names a column text"
    if path.suffix.lower() not in (".csv", ".tsv"):
        raise InputError(f"{path}: the model takes texts; expected {expected}")
    rows = csv_rows(path, lines_of(path), "\t" if path.suffix.lower() == ".tsv" else ",")
    table = [(line, values) for line, values in rows if values]
    names = _stripped(table[0][1]) if table else []
    if names.count(_TEXT) != 1:
        raise InputError(f"{path}: the model takes texts; expected {expected}")
    at = names.index(_TEXT)
    for line, values in table[1:]:
        if len(values) != len(names):
            raise InputError(f"{path}:{line}: expected {len(names)} values, found {len(values)}")
    return [values[at] for _, values in table[1:]] or _nothing(path)


def _arrays(path: Path) -> NDArray[np.generic]:
    if path.suffix.lower() != ".npz" and not zipfile.is_zipfile(path):
        return np.atleast_1d(read_npy(path))
    arrays, names = read_npz(path, _ARRAYS)
    if not arrays:
        raise InputError(f"{path}: expected an array {' or '.join(_ARRAYS)}, found {', '.join(names) or 'nothing'}")
    return np.atleast_1d(next(iter(arrays.values())))


def _numbers(path: Path) -> NDArray[np.float64]:
    """Rows of numbers; a first line that is no row of numbers names the columns."""
    lines = _lines(path, lambda first: max(_SEPARATORS, key=first.count))
    rows = []
    for place, (line, values) in enumerate(lines):
        try:
            rows.append([np.nan if value.strip() in MISSING else float(value) for value in values])
        except ValueError as error:
            if place:
                raise InputError(f"{path}:{line}: cannot be read as rows of numbers ({error})") from None
            continue
        if len(rows[-1]) != len(rows[0]):
            raise InputError(f"{path}:{line}: expected {len(rows[0])} values, found {len(values)}")
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else 0)


def _table(path: Path, agreed: DataSpec) -> NDArray[np.float64]:
    """The model's columns, found by name; categories as codes, NaN for what is missing or was never seen."""
    wanted = [column.name for column in agreed.columns]

    def separator(first: str) -> str:
        found = {one: _stripped(next(csv_rows(path, [first], one, strict=False))[1]) for one in _SEPARATORS}
        return max(_SEPARATORS, key=lambda one: len(set(wanted) & set(found[one])))

    lines = _lines(path, separator)
    if not lines:
        _nothing(path)
    names = _stripped(lines[0][1])
    at = {name: place for place, name in enumerate(names)}
    for name in wanted:
        if name not in at:
            found = ", ".join(names[:20])
            raise InputError(f"{path}:{lines[0][0]}: expected a column {name}; the first line has {found}")
    counted = Counter(names)
    if twice := sorted(name for name in wanted if counted[name] > 1):
        raise InputError(f"{path}:{lines[0][0]}: two columns are named {twice[0]!r}")
    places, rows = [at[name] for name in wanted], []
    for line, values in lines[1:]:
        if len(values) != len(names):
            raise InputError(f"{path}:{line}: expected {len(names)} values, found {len(values)}")
        rows.append(
            [
                _value(values[place].strip(), column, f"{path}:{line}: {column.name}")
                for place, column in zip(places, agreed.columns, strict=True)
            ]
        )
    return np.array(rows, dtype=np.float64).reshape(-1, len(wanted))


def _lines(path: Path, separator: Callable[[str], str]) -> list[tuple[int, list[str]]]:
    """The values of each line that is not blank, with its number; `separator` says from the first what parts them."""
    texts = list(lines_of(path))
    first = next((text for text in texts if text.strip()), None)
    if first is None:
        return []
    return [(line, values) for line, values in csv_rows(path, texts, separator(first)) if values]


def _stripped(values: list[str]) -> list[str]:
    return [value.strip() for value in values]


def _value(text: str, column: Column, where: str) -> float:
    """A value as training read it; NaN where it is missing, or a category that training never saw."""
    if text in column.missing:
        return float("nan")
    if column.categories is not None:
        name = category(text)
        return float(column.categories.index(name)) if name in column.categories else float("nan")
    found = number(text, column.form)
    if found is None:
        raise InputError(f"{where}: expected a number, found {text!r}")
    return found
