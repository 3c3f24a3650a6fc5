"""NumPy .npz archives: x_train and y_train, and optionally x_test, y_test and client."""

from __future__ import annotations

from common.data.arrays import KNOWN, table_of
from common.data.numpy_files import read_npz
from common.data.sources.files import digest, existing_file
from common.data.table import Table
from common.scenario.base import FilePath, key
from common.scenario.sources import SourcePart, TaskChoice


class NpzSource(SourcePart, name="npz", runs="common.data.sources.npz"):
    """A NumPy archive with x_train and y_train, and where you have them x_test, y_test and client."""

    path: FilePath = key("The .npz file.")
    task: TaskChoice = key(
        "What y_train is: auto takes whole numbers and text for labels, other numbers for targets.", "auto"
    )


seeded = False


def fingerprint(spec: NpzSource) -> str:
    """A hash of the archive."""
    return digest([existing_file(spec.path, "data.source.path")])


def read(spec: NpzSource, seed: int) -> Table:
    """Rows of any shape, flattened; labels as codes, targets of shape (rows, targets)."""
    path = existing_file(spec.path, "data.source.path")
    arrays, names = read_npz(path, KNOWN)
    return table_of(arrays, str(path), spec.task, names)
