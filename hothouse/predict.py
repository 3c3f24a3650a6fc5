"""Predictions of a finished run for rows in a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.agreement import Agreement
from common.data.sources.files import lines_of
from common.data.table import category
from common.errors import InputError
from common.models.predictor import Predictor

_MISSING = ("", "?", "NA", "NaN", "nan", "null")


def predict(model: Predictor, data: str | Path, into: TextIO) -> int:
    """Write the model's predictions for the rows in `data` as CSV; returns how many rows there were.

    A classification gives `prediction` and its `probability`, a regression a column per target. `data` is a
    .npy array, an .npz archive with x, x_test or x_train, or a .csv with a header; a model of a table finds
    its columns by name, a model of texts takes a .txt with a text to each line.

    Raises InputError for a file that cannot be read or rows that are not what the model takes.
    """
    path, agreed = Path(data), model.agreement
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with torch.inference_mode():
        outputs = model(_rows(path, model))
    writer = csv.writer(into, lineterminator="\n")
    if agreed.task == "classification":
        codes, scores = model.network.output.codes(outputs), model.network.output.scores(outputs)
        writer.writerow(["prediction", "probability"])
        for code, chances in zip(codes.tolist(), scores.tolist(), strict=True):
            writer.writerow([agreed.labels[code], f"{chances[code]:.6g}"])
    else:
        names = ["prediction"] if agreed.outputs == 1 else [f"prediction_{n}" for n in range(agreed.outputs)]
        writer.writerow(names)
        writer.writerows([f"{number:.6g}" for number in row] for row in outputs.tolist())
    return len(outputs)


def _rows(path: Path, model: Predictor) -> Tensor:
    agreed = model.agreement
    if agreed.vocabulary is not None:
        if path.suffix in (".npy", ".npz"):
            raise InputError(f"{path}: the model takes texts; expected a .txt with a text to each line")
        return model.features([line.rstrip("\n") for line in lines_of(path) if line.strip()])
    if path.suffix == ".csv" and agreed.columns and len(agreed.row_shape) == 1:
        return torch.from_numpy(_table(path, agreed))
    try:
        rows = _numbers(path)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as rows of numbers ({error})") from None
    rows, width = rows.reshape(len(rows), -1), len(agreed.shift)
    if rows.dtype.kind not in "iubf" or rows.shape[1] != width:
        raise InputError(f"{path}: expected rows of {width} numbers, found {rows.shape[1]} of type {rows.dtype}")
    return torch.from_numpy(np.ascontiguousarray(rows))


def _numbers(path: Path) -> NDArray[np.generic]:
    if path.suffix == ".csv":
        return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    name = next((name for name in ("x", "x_test", "x_train") if name in loaded.files), None)
    if name is None:
        raise ValueError(f"expected an array x, x_test or x_train, found {', '.join(loaded.files)}")
    rows: NDArray[np.generic] = loaded[name]
    return rows


def _table(path: Path, agreed: Agreement) -> NDArray[np.float64]:
    """The model's columns, found by name; categories as codes, NaN for what is missing or was never seen."""
    reader = csv.DictReader(lines_of(path), strict=True)
    rows = []
    for row in reader:
        values = []
        for column in agreed.columns:
            text = row.get(column.name)
            if text is None:
                raise InputError(f"{path}:{reader.line_num}: expected a column {column.name}")
            values.append(_value(text.strip(), column.categories, f"{path}:{reader.line_num}: {column.name}"))
        rows.append(values)
    return np.array(rows, dtype=np.float64).reshape(-1, len(agreed.columns))


def _value(text: str, categories: tuple[str, ...] | None, where: str) -> float:
    if text in _MISSING:
        return float("nan")
    if categories is not None:
        name = category(text)
        return float(categories.index(name)) if name in categories else float("nan")
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where}: expected a number, found {text!r}") from None
