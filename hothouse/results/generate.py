"""New examples of a generative model, as a picture, a table or arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from common.errors import InputError
from common.models.generator import Generator
from common.models.predictor import Predictor
from common.models.token_generator import TokenGenerator
from common.scenario import Scenario
from common.tasks import Label
from hothouse.music.abc import AbcError, read_tune
from hothouse.music.midi import midi_file
from hothouse.music.tune import Tune
from hothouse.results.given_rows import read_rows
from hothouse.results.images import image_grid, is_image

_ACROSS = 8


@dataclass(frozen=True)
class Made:
    """Examples that a model made."""

    raw: Tensor
    """(examples, raw features), as they are in the data."""
    labels: Sequence[Label] = ()
    """What each was asked for, where the model goes by labels."""
    across: int = _ACROSS
    """How many a line of a picture has."""


def generator(model: Predictor, folder: Path) -> Generator | TokenGenerator:
    """The model as one that makes examples or texts. Raises InputError for one that predicts."""
    if not isinstance(model, Generator | TokenGenerator):
        raise InputError(
            f"{folder}: expected a generative model, such as vae; {model.spec.name} predicts: hothouse predict"
        )
    return model


def refuse(model: Predictor, given: Mapping[str, object]) -> None:
    """Raise InputError for an option that is given and is none of this model's."""
    for option, value in given.items():
        if value is not None:
            raise InputError(f"{option} is for other models than {model.spec.name}; leave it out")


def separated(texts: Sequence[str]) -> str:
    """Documents below each other, with a line of dashes between them."""
    return ("\n" + "-" * 40 + "\n").join(texts)


def written_texts(texts: Sequence[str], suffix: str) -> bytes:
    """Documents as a file with this suffix: .txt, .abc with an empty line between tunes, .mid of those that are tunes.

    Raises InputError for another suffix, and for .mid where none is a tune or mido is missing.
    """
    if suffix in (".mid", ".midi"):
        return midi_file(_tunes(texts))
    if suffix == ".txt":
        return (separated(texts).rstrip("\n") + "\n").encode()
    if suffix == ".abc":
        return ("\n\n".join(text.strip("\n") for text in texts) + "\n").encode()
    raise InputError(f"--out: expected a file .txt, .abc or .mid, got {suffix or 'one without a suffix'}")


def _tunes(texts: Sequence[str]) -> list[Tune]:
    found, why = [], ""
    for text in texts:
        try:
            found.append(read_tune(text.strip("\n")))
        except AbcError as error:
            why = str(error)
    if not found:
        raise InputError(f"--out: none of the {len(texts)} documents is a tune in ABC notation ({why})")
    return found


def generate(model: Generator, count: int, label: str | None, temperature: float, seed: int) -> Made:
    """New examples: codes drawn from N(0, temperature²)."""
    return Made(*model.generate_labelled(count, label, temperature, seed))


def vary(model: Generator, like: Path, amount: float, count: int, label: str | None, seed: int) -> Made:
    """Examples like one in a file, which comes first: its code, moved by normal noise of this standard deviation."""
    example = _one(like, model)
    made = model.vary(example, amount, count, label, seed)
    return Made(made, [label] * count if label is not None else ())


def between(model: Generator, first: Path, last: Path, steps: int, label: str | None) -> Made:
    """Steps on the line from the code of the example in one file to that of another."""
    made = model.between(_one(first, model), _one(last, model), steps, label)
    return Made(made, [label] * steps if label is not None else (), across=steps)


def written(made: Made, model: Generator, scenario: Scenario, suffix: str) -> bytes:
    """The examples as a file with this suffix: .png, a grid of images; .npz; .csv, a table's columns.

    An archive has `x`, (examples, *shape), and `y` where the model goes by labels. A table has the label in the column
    that the scenario's source takes it from.

    Raises InputError for another suffix, and for one that the examples do not fit in.
    """
    spec = model.data_spec
    if suffix == ".npz":
        whole = not spec.shift.any() and bool((spec.scale == 255).all())
        x = made.raw.round().clamp(0, 255).numpy().astype(np.uint8) if whole else made.raw.numpy()
        arrays = {"x": x.reshape(len(x), *spec.row_shape)}
        if made.labels:
            arrays["y"] = np.array(made.labels)
        into = io.BytesIO()
        np.savez(into, allow_pickle=False, **arrays)
        return into.getvalue()
    if suffix == ".png":
        if not is_image(spec.row_shape):
            raise InputError(f"--out: these are no images of 1 or 3 channels; expected a file {_suffixes(model)}")
        white = 255.0 if (spec.scale == 255).all() else max(1.0, float(made.raw.max()))
        return image_grid(made.raw.numpy(), spec.row_shape, (0.0, white), min(made.across, len(made.raw)))
    if suffix == ".csv" and spec.columns:
        return _csv(made, model, scenario).encode()
    raise InputError(f"--out: expected a file {_suffixes(model)}, got {suffix or 'one without a suffix'}")


def default_suffix(model: Generator) -> str:
    """The kind of file that suits what the model makes."""
    return ".csv" if model.data_spec.columns else ".png" if is_image(model.data_spec.row_shape) else ".npz"


def _suffixes(model: Generator) -> str:
    first = default_suffix(model)
    return ".npz" if first == ".npz" else f"{first} or .npz"


def _one(path: Path, model: Generator) -> Tensor:
    rows = read_rows(path, model).rows
    if len(rows) != 1:
        raise InputError(f"{path}: expected a single example, found {len(rows)}")
    return rows


def _csv(made: Made, model: Generator, scenario: Scenario) -> str:
    columns = model.data_spec.columns
    names = [column.name for column in columns]
    if made.labels:
        names.append(str(getattr(scenario.data.source, "target", None) or "label"))
    into = io.StringIO()
    writer = csv.writer(into, lineterminator="\n")
    writer.writerow(names)
    for place, row in enumerate(made.raw.tolist()):
        cells: list[Any] = []
        for column, value in zip(columns, row, strict=True):
            if value != value:
                cells.append("")
            elif column.categories is not None:
                cells.append(column.categories[int(value)])
            else:
                cells.append(int(value) if column.whole else float(f"{value:.7g}"))
        writer.writerow([*cells, *made.labels[place : place + 1]])
    return into.getvalue()
