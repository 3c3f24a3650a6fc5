"""Prepared data: rows in memory-mapped files, and who trains, holds out or tests which of them.

A folder of prepared data is all that a process needs. One process writes it (`common.data.prepare`), every
process on the machine maps the same pages of it. A node of a deployment has a folder of its own that holds
its own clients' rows only, the server one that holds the test and validation rows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from common.data.table import Label, Task, mapped

Indices = NDArray[np.int64]

Scaling = Literal["standardize", "bytes", "none"]

META = "meta.json"


@dataclass(frozen=True)
class Meta:
    """What the rows are."""

    task: Task
    labels: list[Label]
    """Names of the classes in the order of their codes in `y`; empty for a regression."""
    row_shape: list[int]
    targets: int
    """Numbers per target of a regression; 0 for labels."""
    columns: list[str]
    scaling: Scaling
    """How rows are scaled when they are gathered: by agreed statistics, by 1/255, or not."""
    rows_folder: str
    """The folder with x.npy and y.npy, relative to this one."""


class Prepared:
    """A folder of prepared data, its arrays mapped and not read."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.meta = Meta(**json.loads((self.folder / META).read_text()))
        rows = self.folder / self.meta.rows_folder
        self.x: NDArray[Any] = mapped(rows / "x.npy")
        """Raw features, shape (rows, features)."""
        self.y: NDArray[Any] = mapped(rows / "y.npy")
        """Label codes, int64 of shape (rows,), or targets, float64 of shape (rows, targets)."""
        self.clients: Indices = mapped(self.folder / "clients.npy")
        """The ids of the clients whose rows are here, ascending."""
        self.test: Indices = mapped(self.folder / "test.npy")
        self.validation: Indices = mapped(self.folder / "validation.npy")
        self._shards: Indices = mapped(self.folder / "shards.npy")
        self._starts: Indices = mapped(self.folder / "starts.npy")
        self._splits: Indices = mapped(self.folder / "splits.npy")

    @property
    def key(self) -> str:
        """A name that is the same for the same content and settings."""
        return self.folder.name

    @property
    def training_sizes(self) -> Indices:
        """Rows that each client of `clients` trains on, shape (clients,)."""
        return self._splits - self._starts[:-1]

    @property
    def holdout_sizes(self) -> Indices:
        """Rows that each client of `clients` holds out, shape (clients,)."""
        return self._starts[1:] - self._splits

    def training_rows(self, client: int) -> Indices:
        """Positions in `x` of the rows that a client trains on."""
        at = self.position(client)
        return self._shards[self._starts[at] : self._splits[at]]

    def holdout_rows(self, client: int) -> Indices:
        """Positions in `x` of the rows that a client evaluates on."""
        at = self.position(client)
        return self._shards[self._splits[at] : self._starts[at + 1]]

    def position(self, client: int) -> int:
        """Where a client stands in `clients`; raises KeyError for one whose rows are not here."""
        at = int(np.searchsorted(self.clients, client))
        if at == len(self.clients) or self.clients[at] != client:
            raise KeyError(f"client {client} is not among the {len(self.clients)} clients in {self.folder}")
        return at


def write_shards(
    folder: Path,
    meta: Meta,
    clients: Indices,
    training: list[Indices],
    holdout: list[Indices],
    test: Indices,
    validation: Indices,
) -> None:
    """Write everything but the rows themselves into `folder`."""
    sizes = [(len(train), len(held)) for train, held in zip(training, holdout, strict=True)]
    counts = np.asarray(sizes, dtype=np.int64).reshape(-1, 2)
    starts = np.concatenate([[0], np.cumsum(counts.sum(axis=1))]).astype(np.int64)
    parts = [part for pair in zip(training, holdout, strict=True) for part in pair]
    arrays = {
        "clients": clients,
        "shards": np.concatenate([np.empty(0, np.int64), *parts]),
        "starts": starts,
        "splits": starts[:-1] + counts[:, 0],
        "test": test,
        "validation": validation,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array, dtype=np.int64))
    (folder / META).write_text(json.dumps(asdict(meta), indent=1))
