"""Pictures: a folder of files for each class, all brought to one size."""

from __future__ import annotations

from typing import Literal

import numpy as np

from common.data.labels import encode
from common.data.sources.files import digest, existing_folder
from common.data.sources.folders import FolderExamples, find_examples
from common.data.sources.pictures import Pictures, suffixes
from common.data.table import Table
from common.scenario.base import FilePath, key
from common.scenario.sources import SourcePart


class ImagesSource(SourcePart, name="images", runs="common.data.sources.images"):
    """Pictures: a folder of files for each class, brought to one size."""

    path: FilePath = key(
        "The folder with a folder of pictures for each class, in any format that Pillow reads by itself; or with "
        "folders train, validation (or val) and test that hold such folders."
    )
    height: int = key("Every picture becomes so high.", 28, unit="pixels", ge=1, le=4096)
    width: int = key("And so wide.", 28, unit="pixels", ge=1, le=4096)
    color: Literal["grey", "rgb"] = key("Grey, or red, green and blue.", "grey")


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
        tests=found.count("test"),
        validations=found.count("validation"),
        row_shape=x.shape[1:],
        hints=[*found.hints, *pictures.hints(spec.path)],
    )


def _files(spec: ImagesSource) -> FolderExamples:
    return find_examples(existing_folder(spec.path, "data.source.path"), suffixes(), "pictures")
