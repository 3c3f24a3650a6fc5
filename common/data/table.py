"""A data set as a source reads it: raw rows, raw targets, and what they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.data.labels import whole_number
from common.data.numbers import MISSING, POINT
from common.tasks import Label, Task


@dataclass(frozen=True)
class Column:
    """A feature of a table."""

    name: str
    categories: tuple[str, ...] | None = None
    """The texts that a categorical column's codes stand for; None for a column of numbers."""
    form: str = POINT
    """How numbers are written in files (`common.data.numbers`)."""
    missing: tuple[str, ...] = MISSING
    """What stands for a missing value in files."""
    whole: bool = False
    """Whether all of its values are whole numbers."""


class Gap(NamedTuple):
    """Where a value is missing."""

    row: int
    column: int


@dataclass
class Table:
    """Examples and their targets; a source's own validation and test examples come last, in this order."""

    x: NDArray[Any]
    """Raw features, shape (rows, features), of any numeric type; NaN where a value is missing. Rows of text
    have no features yet."""
    y: NDArray[Any]
    """Codes into `labels`, int64 of shape (rows,), or targets, float64 of shape (rows, targets)."""
    task: Task
    labels: list[Label] = field(default_factory=list)
    """The names of the classes, in the order of their codes; empty for a regression."""
    tests: int = 0
    """How many of the last rows are the source's own test split."""
    row_shape: tuple[int, ...] = ()
    """The shape of a row before it was flattened, an image's say; (features,) by default."""
    columns: list[Column] = field(default_factory=list)
    """What the features are, where they have names."""
    tabular: bool = False
    """Whether `scale: auto` standardizes the columns and `missing: auto` fills gaps."""
    texts: list[str] | None = None
    """The rows themselves, where they are texts."""
    groups: NDArray[np.int64] | None = None
    """The natural client of each training example, or of each document, as a code into `group_names`."""
    group_names: list[str] = field(default_factory=list)
    mixed: bool = False
    """Whether the rows stand in random order as they are, so that neighbours may become a client's."""
    hints: list[str] = field(default_factory=list)
    """What the user should know of how the source was read."""
    origin: str = ""
    """What the rows were read from, where its parts have no better name than x and y: an archive."""
    gap: Gap | None = None
    """The first missing value among the rows."""
    documents: NDArray[np.int64] | None = None
    """Where each document begins, of which the rows are the tokens; documents are shared out as a whole."""
    validations: int = 0
    """How many rows before the tests are the source's own validation split."""

    def place(self, name: str, row: int, column: int) -> str:
        """How a number of x or y is called: `x_test: row 3, column 2`, with the column's name where it has one."""
        split, start = "train", 0
        for part, rows in (("validation", self.validations + self.tests), ("test", self.tests)):
            if row >= len(self.y) - rows:
                split, start = part, len(self.y) - rows
        at = self.columns[column].name if name == "x" and self.columns else column
        told = "training" if split == "train" else split
        where = f"{self.origin}: {name}_{split}" if self.origin else f"{told} examples"
        return f"{where}: row {row - start}, column {at}"


def category(text: str) -> str:
    """A category's name from what a file says: a whole number is one and the same with zeros behind its point.

    Programs write whole numbers as fractions where others of the column are missing, so files differ.
    """
    number = whole_number(text)
    return text if number is None else str(number)


def save_table(folder: Path, table: Table) -> None:
    """Write the table into `folder`: x.npy, y.npy, perhaps groups.npy and texts, and the rest as table.json."""
    np.save(folder / "x.npy", table.x)
    np.save(folder / "y.npy", table.y)
    for name in ("groups", "documents"):
        if getattr(table, name) is not None:
            np.save(folder / f"{name}.npy", getattr(table, name))
    if table.texts is not None:
        save_texts(folder, table.texts)
    apart = ("x", "y", "groups", "documents", "texts", "columns")
    rest = {name: value for name, value in vars(table).items() if name not in apart}
    rest["columns"] = [asdict(column) for column in table.columns]
    (folder / "table.json").write_text(json.dumps(rest))


def load_table(folder: Path) -> Table:
    """The table in `folder`, its arrays mapped and not read."""
    rest = json.loads((folder / "table.json").read_text())
    rest["row_shape"] = tuple(rest["row_shape"])
    rest["columns"] = [read_column(column) for column in rest["columns"]]
    rest["gap"] = None if rest["gap"] is None else Gap(*rest["gap"])
    for name in ("groups", "documents"):
        rest[name] = map_array(folder / f"{name}.npy") if (folder / f"{name}.npy").exists() else None
    return Table(map_array(folder / "x.npy"), map_array(folder / "y.npy"), **rest)


def read_column(values: dict[str, Any]) -> Column:
    """A column from its JSON form."""
    categories = values["categories"]
    told = {"form": values.get("form", POINT), "missing": tuple(values.get("missing", MISSING))}
    whole = bool(values.get("whole", False))
    return Column(values["name"], None if categories is None else tuple(categories), **told, whole=whole)


def save_texts(folder: Path, texts: list[str]) -> None:
    """Write texts so that any of them can be looked up without reading the others."""
    encoded = [text.encode() for text in texts]
    np.save(folder / "text_ends.npy", np.cumsum([len(text) for text in encoded], dtype=np.int64))
    np.save(folder / "text_bytes.npy", np.frombuffer(b"".join(encoded), dtype=np.uint8))


class Texts:
    """The texts in a folder, mapped and not read."""

    def __init__(self, folder: Path) -> None:
        self._ends, self._bytes = map_array(folder / "text_ends.npy"), map_array(folder / "text_bytes.npy")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        start = self._ends[row - 1] if row else 0
        return bytes(self._bytes[start : self._ends[row]]).decode()


def map_array(path: Path) -> NDArray[Any]:
    """The array in an .npy file, its pages shared with every process that maps it."""
    # Mapped copy-on-write, so that PyTorch takes the pages as they are; nobody writes to them.
    array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return array
