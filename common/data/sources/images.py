"""Pictures: a folder of files for each class, all brought to one size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.data.labels import encode
from common.data.sources.files import digest, existing_folder
from common.data.sources.folders import LeftOut, class_files, split_folders
from common.data.sources.pictures import Pictures, suffixes
from common.data.table import Table
from common.errors import InputError
from common.scenario.sources import ImagesSource

seeded = False


def fingerprint(spec: ImagesSource) -> str:
    """A hash of all files, and their places."""
    files = _files(spec).all
    return f"{digest(files)} {[str(file.relative_to(spec.path)) for file in files]}"


def read(spec: ImagesSource, seed: int) -> Table:
    """Rows of bytes, flattened; the pictures of the folders `val` and `test` come last, in this order."""
    found, pictures = _files(spec), Pictures()
    size = (spec.width, spec.height)
    x = np.stack([pictures.read(file, str(file), spec.color, size) for file in found.all])
    codes, labels = encode(np.array([file.parent.name for file in found.all]))
    return Table(
        x.reshape(len(x), -1),
        codes,
        "classification",
        labels,
        tests=len(found.splits.get("test", [])),
        validations=len(found.splits.get("validation", [])),
        row_shape=x.shape[1:],
        hints=[*found.hints, *pictures.hints(spec.path)],
    )


@dataclass
class _Found:
    """The pictures of each split, those to train on first, and what the user should know of how they were found."""

    splits: dict[str, list[Path]] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Path]:
        """Those to train on, to validate and to test on."""
        return [file for name in ("train", "validation", "test") for file in self.splits.get(name, [])]


def _files(spec: ImagesSource) -> _Found:
    folder = existing_folder(spec.path, "data.source.path")
    found, left_out = _Found(), LeftOut()
    for name, home in split_folders(folder).items():
        found.splits[name] = class_files(home, suffixes(), left_out)
    if not found.splits["train"]:
        raise InputError(f"expected folders of pictures, one for each class; {folder} has none", "data.source.path")
    found.hints = left_out.hints(folder)
    return found
