"""A data set as a source reads it: raw rows, raw targets, and what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Task = Literal["classification", "regression"]
Label = str | int


@dataclass
class Table:
    """Rows of numbers and their targets; a source's own test rows, where it has some, come last."""

    x: NDArray[Any]
    """Raw features, shape (rows, features), of any numeric type."""
    y: NDArray[Any]
    """Codes into `labels`, int64 of shape (rows,), or targets, float64 of shape (rows, targets)."""
    task: Task
    labels: list[Label] = field(default_factory=list)
    """The names of the classes, in the order of their codes; empty for a regression."""
    tests: int = 0
    """How many of the last rows are the source's own test split."""
    row_shape: tuple[int, ...] = ()
    """The shape of a row before it was flattened, an image's say; (features,) by default."""
    columns: list[str] = field(default_factory=list)
    """Names of the features, where they have some."""
    tabular: bool = False
    """Whether `scale: auto` standardizes the columns."""
    groups: NDArray[Any] | None = None
    """The natural client of each row, where the source names one."""


def encode(labels: NDArray[Any]) -> tuple[NDArray[np.int64], list[Label]]:
    """Labels (whole numbers, booleans or text) as codes 0 … and the sorted list of their names."""
    names, codes = np.unique(labels, return_inverse=True)
    as_text = names.dtype.kind in "US"
    return codes.reshape(-1).astype(np.int64), [str(name) if as_text else int(name) for name in names]


def save_table(folder: Path, table: Table) -> None:
    """Write the table into `folder`: x.npy, y.npy, perhaps groups.npy, and the rest as table.json."""
    np.save(folder / "x.npy", table.x)
    np.save(folder / "y.npy", table.y)
    if table.groups is not None:
        np.save(folder / "groups.npy", table.groups)
    rest = {name: value for name, value in vars(table).items() if name not in ("x", "y", "groups")}
    (folder / "table.json").write_text(json.dumps(rest))


def load_table(folder: Path) -> Table:
    """The table in `folder`, its arrays mapped and not read."""
    rest = json.loads((folder / "table.json").read_text())
    rest["row_shape"] = tuple(rest["row_shape"])
    groups = mapped(folder / "groups.npy") if (folder / "groups.npy").exists() else None
    return Table(mapped(folder / "x.npy"), mapped(folder / "y.npy"), groups=groups, **rest)


def mapped(path: Path) -> NDArray[Any]:
    """The array in an .npy file, its pages shared with every process that maps it."""
    # Mapped copy-on-write, so that PyTorch takes the pages as they are; nobody writes to them.
    array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return array
