"""Labelled texts: a file with a label and a text per line, or a folder of texts per label."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.data.labels import encode
from common.data.sources.files import digest, existing_file, lines_of
from common.data.table import Table
from common.errors import InputError
from common.scenario.sources import TextSource

seeded = False


def fingerprint(spec: TextSource) -> str:
    """A hash of the file, or of all files of the folder and their places."""
    path = Path(spec.path)
    if not path.is_dir():
        return digest([existing_file(path, "data.source.path")])
    files = _files(path)
    return f"{digest(files)} {[str(file.relative_to(path)) for file in files]}"


def read(spec: TextSource, seed: int) -> Table:
    """All texts with their labels; blank lines are left out."""
    path = Path(spec.path)
    pairs = _from_folder(path) if path.is_dir() else _from_file(path, spec)
    codes, labels = encode(np.asarray([label for label, _ in pairs]))
    texts = [text for _, text in pairs]
    return Table(np.zeros((len(texts), 0)), codes, "classification", labels, row_shape=(), texts=texts)


def _from_file(path: Path, spec: TextSource) -> list[tuple[str, str]]:
    existing_file(path, "data.source.path")
    pairs: list[tuple[str, str]] = []
    last = max(spec.label_column, spec.text_column)
    lines = enumerate(lines_of(path), start=1)
    if spec.header:
        next(lines, None)
    for number, line in lines:
        if not line.strip():
            continue
        # The last column takes what is left: a text may well hold a separator.
        values = line.rstrip("\r\n").split(spec.separator, last)
        if len(values) <= last:
            raise InputError(
                f"{path}:{number}: expected {last + 1} values with {spec.separator!r} between them, found {len(values)}"
            )
        label = values[spec.label_column].strip()
        if not label:
            raise InputError(f"{path}:{number}: expected a label, found none")
        pairs.append((label, values[spec.text_column]))
    if not pairs:
        raise InputError(f"{path}: no texts in it")
    return pairs


def _from_folder(path: Path) -> list[tuple[str, str]]:
    files = _files(path)
    if not files:
        raise InputError(f"expected folders of .txt files, one for each label; {path} has none", "data.source.path")
    return [(file.parent.name, "".join(lines_of(file))) for file in files]


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*/*.txt"))
