"""Predictions of a finished run for rows in a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray

from common.errors import InputError
from common.models.predictor import Predictor


def predict(model: Predictor, data: str | Path, into: TextIO) -> int:
    """Write the model's predictions for the rows in `data` as CSV; returns how many rows there were.

    A classification gives `prediction` and its `probability`, a regression a column per target. `data` is a
    .npy array, an .npz archive with x, x_test or x_train, or a CSV of numbers with a header.

    Raises InputError for a file that cannot be read or rows of another width than the model's.
    """
    rows = _rows(Path(data), model)
    writer = csv.writer(into, lineterminator="\n")
    with torch.inference_mode():
        outputs = model(torch.from_numpy(rows))
    if model.task == "classification":
        chances = outputs.softmax(dim=-1).max(dim=-1)
        writer.writerow(["prediction", "probability"])
        for code, chance in zip(chances.indices.tolist(), chances.values.tolist(), strict=True):
            writer.writerow([model.labels[code], f"{chance:.6g}"])
    else:
        writer.writerow(
            ["prediction"] if outputs.shape[1] == 1 else [f"prediction_{n}" for n in range(outputs.shape[1])]
        )
        writer.writerows([f"{number:.6g}" for number in row] for row in outputs.tolist())
    return len(rows)


def _rows(path: Path, model: Predictor) -> NDArray[np.generic]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        rows = _read(path)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as rows of numbers ({error})") from None
    width = model.input_shift.numel()
    rows = rows.reshape(len(rows), -1)
    if rows.dtype.kind not in "iubf" or rows.shape[1] != width:
        raise InputError(f"{path}: expected rows of {width} numbers, found {rows.shape[1]} of type {rows.dtype}")
    return np.ascontiguousarray(rows)


def _read(path: Path) -> NDArray[np.generic]:
    if path.suffix == ".csv":
        return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    loaded = np.load(path, allow_pickle=False)
    return loaded if isinstance(loaded, np.ndarray) else _member(loaded, path)


def _member(archive: np.lib.npyio.NpzFile, path: Path) -> NDArray[np.generic]:
    name = next((name for name in ("x", "x_test", "x_train") if name in archive.files), None)
    if name is None:
        raise InputError(f"{path}: expected an array x, x_test or x_train, found {', '.join(archive.files)}")
    rows: NDArray[np.generic] = archive[name]
    return rows
