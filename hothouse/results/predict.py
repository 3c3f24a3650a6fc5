"""Predictions of a finished run for rows in a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import torch

from common.errors import InputError
from common.models.predictor import Predictor
from common.tasks import Label
from hothouse.results.given_rows import read_rows

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets take for a formula (OWASP, CSV injection)."""


def predict(model: Predictor, data: str | Path, safe: bool = False) -> tuple[str, int]:
    """The model's predictions for the rows in `data` as CSV, and how many rows there were.

    With `safe`, a label that a spreadsheet would take for a formula has an apostrophe before it.

    A classification gives `prediction` and its `probability`, or its `score` where the output is neither a softmax nor
    a sigmoid, a regression a column per target. `data` is a
    .npy array, an .npz archive with x, x_test or x_train, or a .csv: a model of a table finds its columns by the names
    in the first line and reads their values as training did, other models take its numbers as they stand. A model of
    texts takes a .txt with a text to each line, or a .csv or .tsv with a column `text`; one of pictures also a picture
    or a folder of pictures, whose names come first then. Each row of these gives a line, and each number is the
    shortest text that reads back to the same one.

    Raises InputError for a file that cannot be read, for rows that are not what the model takes, and for one whose
    outputs are no finite numbers.
    """
    agreed = model.data_spec
    if agreed.task == "generation":
        raise InputError(f"the model makes examples and predicts nothing ({model.spec.name}); use hothouse generate")
    given = read_rows(Path(data), model)
    with torch.inference_mode():
        outputs = model(given.rows)
    odd = (~outputs.isfinite()).flatten(1).any(dim=1).nonzero()
    if len(odd):
        raise InputError(f"{data}: row {int(odd[0])}: the model's output is no finite number; is the row in its units?")
    if agreed.task == "classification":
        codes, scores = model.network.output.codes(outputs).tolist(), model.network.output.scores(outputs)
        names = ["prediction", model.network.output.score_name]
        # NumPy's text of a number is the shortest that reads back to the same one, of float32 too.
        told = [
            [_cell(agreed.labels[code], safe), of_classes[code]]
            for code, of_classes in zip(codes, scores.numpy().astype(str).tolist(), strict=True)
        ]
    else:
        names = ["prediction"] if agreed.outputs == 1 else [f"prediction_{n}" for n in range(agreed.outputs)]
        told = outputs.tolist()
    if given.names is not None:
        names = ["file", *names]
        told = [[_cell(name, safe), *line] for name, line in zip(given.names, told, strict=True)]
    into = io.StringIO()
    writer = csv.writer(into, lineterminator="\n")
    writer.writerows([names, *told])
    return into.getvalue(), len(outputs)


def _cell(value: Label, safe: bool) -> Label:
    """A text as it is written: with an apostrophe before it where it would be a formula and that is not wanted."""
    return f"'{value}" if safe and isinstance(value, str) and value.startswith(_FORMULA) else value
