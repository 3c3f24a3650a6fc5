"""Labelled texts: a file with a label and a text per line, or a folder of texts per label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import model_validator

from common.data.labels import encode
from common.data.sources.files import csv_rows, digest, existing_file, lines_of
from common.data.sources.folders import FolderExamples, find_examples
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import FilePath, key, refuse
from common.scenario.sources import SourcePart


class TextSource(SourcePart, name="text", runs="common.data.sources.text"):
    """Labelled texts: a file with a label and a text per line, or a folder with a folder of texts per label."""

    path: FilePath = key(
        "The file, or the folder with a folder of .txt files for each label; or with folders train, validation "
        "(or val) and test that hold such folders."
    )
    separator: str = key("What stands between label and text.", "\t", min_length=1, max_length=1)
    quotes: Literal["auto", "csv", "none"] = key(
        "Whether values may stand in quotes as in CSV, over several lines too: auto says so unless tabs separate them.",
        "auto",
    )
    header: bool = key("Whether the first line names the columns.", False)
    label_column: int = key("Where the label stands, from 0.", 0, unit="column", ge=0)
    text_column: int = key("Where the text stands, from 0.", 1, unit="column", ge=0)

    @model_validator(mode="after")
    def _two_columns(self) -> TextSource:
        if self.label_column == self.text_column:
            raise refuse("text_column", "another column than label_column")
        return self


seeded = False


def fingerprint(spec: TextSource) -> str:
    """A hash of the file, or of all files and their places."""
    path = Path(spec.path)
    if not path.is_dir():
        return digest([existing_file(path, "data.source.path")])
    files = _files(path).all
    return f"{digest(files)} {[str(file.relative_to(path)) for file in files]}"


def read(spec: TextSource, seed: int) -> Table:
    """All texts with their labels, those of the folders `val` and `test` last, in this order."""
    path = Path(spec.path)
    found = _files(path) if path.is_dir() else FolderExamples({}, [])
    pairs = [(file.parent.name, "".join(lines_of(file))) for file in found.all] or _from_file(path, spec)
    codes, labels = encode(np.asarray([label for label, _ in pairs]))
    texts = [text for _, text in pairs]
    return Table(
        np.zeros((len(texts), 0)),
        codes,
        "classification",
        labels,
        tests=found.count("test"),
        validations=found.count("validation"),
        texts=texts,
        hints=found.hints,
    )


def _files(path: Path) -> FolderExamples:
    return find_examples(path, (".txt",), ".txt files")


def _from_file(path: Path, spec: TextSource) -> list[tuple[str, str]]:
    existing_file(path, "data.source.path")
    pairs: list[tuple[str, str]] = []
    last = max(spec.label_column, spec.text_column)
    rows = _rows(path, spec)
    if spec.header:
        next(rows, None)
    for line, values in rows:
        if len(values) > last + 1 and spec.text_column == last:
            # The last column takes what is left: a text may well hold a separator.
            values = [*values[:last], spec.separator.join(values[last:])]
        if len(values) <= last:
            raise InputError(
                f"{path}:{line}: expected {last + 1} values with {spec.separator!r} between them, found {len(values)}"
            )
        label = values[spec.label_column].strip()
        if not label:
            raise InputError(f"{path}:{line}: expected a label, found none")
        pairs.append((label, values[spec.text_column]))
    if not pairs:
        raise InputError(f"{path}: no texts in it")
    return pairs


def _rows(path: Path, spec: TextSource) -> Iterator[tuple[int, list[str]]]:
    """The values in each line that is not blank, with its number; with quotes a value may go over several lines."""
    if spec.quotes == "csv" or (spec.quotes == "auto" and spec.separator != "\t"):
        for line, values in csv_rows(path, lines_of(path), spec.separator):
            if any(value.strip() for value in values):
                yield line, values
        return
    for line, text in enumerate(lines_of(path), start=1):
        if text.strip():
            yield line, text.removesuffix("\n").split(spec.separator)
