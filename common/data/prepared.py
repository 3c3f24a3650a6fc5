"""Prepared data: examples in memory-mapped files, and who trains, holds out or tests which of them.

A folder of prepared data is all that a process needs. One process writes it (`common.data.prepare`), every
process on the machine maps the same pages of it. A node of a deployment has a folder of its own that holds
its own clients' examples only, the server one that holds the test and validation examples.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from common.data.data_spec import TermRule
from common.data.sums import SUMS, damaged
from common.data.table import Column, Texts, map_array, read_column
from common.data.tokens import SequenceForm
from common.errors import InputError
from common.tasks import Label, Task

Indices = NDArray[np.int64]

Scaling = Literal["standardize", "bytes", "none"]
Filling = Literal["mean", "median", "none"]

META = "meta.json"


@dataclass(frozen=True)
class TextForm:
    """How texts are to become numbers."""

    features: str
    width: int
    ngrams: tuple[int, int]
    lowercase: bool
    least: int
    """In how many texts a term must occur to be a feature."""
    unit: str = "words"
    """What terms are runs of: words or characters."""

    @property
    def rule(self) -> TermRule:
        """What counts as a term."""
        return TermRule(self.ngrams, self.lowercase, self.unit)


@dataclass(frozen=True)
class Meta:
    """What the examples are, and how they are to become what the network sees."""

    task: Task
    labels: list[Label]
    """Names of the classes in the order of their codes in `y`; empty for a regression."""
    row_shape: list[int]
    targets: int
    """Numbers per target of a regression; 0 for labels."""
    columns: list[Column]
    """What the features are; empty where they have no names."""
    scaling: Scaling
    """How examples are scaled when they are gathered: by agreed statistics, by 1/255, or not."""
    filling: Filling
    """What takes missing values' places: the column's mean or median; nothing where there is none missing."""
    own_fill: bool
    """Whether a client's own mean or median takes their place, where it has one."""
    indicators: bool
    """Whether columns with missing values get a further feature that says where."""
    text: TextForm | None
    """How texts become numbers; None where examples are numbers already."""
    sequence: SequenceForm | None
    """How documents become sequences of tokens, the labels; None where examples are other ones."""
    rows_folder: str
    """The folder with x.npy and y.npy (and texts), relative to this one."""
    clients: list[str]
    """Names of natural clients, by id; empty where clients have none."""
    hints: list[str]
    """What the user should know of how the data was read."""
    white: float | None = None
    """What stands for white where examples are images and 0 is black; None for other examples."""
    key: str = ""
    """The key of the prepared data that this is a part of; empty where it is the whole."""
    everyone: int = 0
    """How many clients the whole has that this is a part of; 0 where it is the whole."""
    content: str = ""
    """A hash of what the source read, whoever trains on which part; empty where examples are made from the seed."""

    @property
    def unit_range(self) -> bool:
        """Whether all numbers that the network sees lie between 0 and 1, as far as is known: those of images."""
        return self.white is not None and self.white == {"bytes": 255.0, "none": 1.0}.get(self.scaling)

    def to_json(self) -> str:
        """This as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Meta:
        """What `to_json` gave."""
        values = json.loads(text)
        values["columns"] = [read_column(column) for column in values["columns"]]
        if values["text"] is not None:
            values["text"] = TextForm(**{**values["text"], "ngrams": tuple(values["text"]["ngrams"])})
        if values["sequence"] is not None:
            values["sequence"] = SequenceForm(**{**values["sequence"], "headers": tuple(values["sequence"]["headers"])})
        return cls(**values)


@dataclass(frozen=True)
class Shards:
    """Examples of several clients, one client after the other."""

    positions: Indices
    """Positions in `x`."""
    sizes: Indices
    """How many examples each client has, shape (clients,)."""

    @classmethod
    def of(cls, parts: list[Indices]) -> Shards:
        """The shards of clients given one by one."""
        sizes = np.array([len(part) for part in parts], dtype=np.int64)
        return cls(np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64), sizes)

    def parts(self) -> list[Indices]:
        """Each client's examples."""
        return np.split(self.positions, np.cumsum(self.sizes)[:-1])

    def starts(self) -> Indices:
        """Where each client's examples begin in `positions`, and where the last ends: shape (clients + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    def owners(self) -> Indices:
        """Each example's client, as a place in `sizes`: shape (examples,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


class Prepared:
    """A folder of prepared data, its arrays mapped and not read."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.meta = Meta.from_json((self.folder / META).read_text())
        self.rows_folder = self.folder / self.meta.rows_folder
        self.x: NDArray[Any] = map_array(self.rows_folder / "x.npy")
        """Raw features, shape (rows, features)."""
        self.y: NDArray[Any] = map_array(self.rows_folder / "y.npy")
        """Label codes, int64 of shape (rows,), or targets, float64 of shape (rows, targets)."""
        self.clients: Indices = map_array(self.folder / "clients.npy")
        """The ids of the clients whose examples are here, ascending."""
        self.test: Indices = map_array(self.folder / "test.npy")
        self.validation: Indices = map_array(self.folder / "validation.npy")
        self._shards: Indices = map_array(self.folder / "shards.npy")
        self._starts: Indices = map_array(self.folder / "starts.npy")
        self._splits: Indices = map_array(self.folder / "splits.npy")

    @property
    def texts(self) -> Texts:
        """The examples' texts, where they are texts."""
        return Texts(self.rows_folder)

    @property
    def key(self) -> str:
        """A name that is the same for the same content and settings, and for all parts of them."""
        return self.meta.key or self.folder.name

    @property
    def everyone(self) -> int:
        """How many clients the data has, here or elsewhere; their ids are 0 … everyone − 1."""
        return self.meta.everyone or len(self.clients)

    @property
    def training_sizes(self) -> Indices:
        """Examples that each client of `clients` trains on, shape (clients,)."""
        return self._splits - self._starts[:-1]

    @property
    def holdout_sizes(self) -> Indices:
        """Examples that each client of `clients` holds out, shape (clients,)."""
        return self._starts[1:] - self._splits

    def check(self) -> None:
        """Read a part that `hothouse cut` wrote as a whole. Raises InputError where it is not what was written."""
        if self.meta.key and (file := damaged(self.folder)) is not None:
            raise InputError(
                f"{self.folder / file}: not what `hothouse cut` wrote (its checksum in {SUMS} does not match); "
                "cut the data again"
            )

    def training_examples(self, client: int) -> Indices:
        """Positions in `x` of the examples that a client trains on."""
        at = self.position(client)
        return self._shards[self._starts[at] : self._splits[at]]

    def training_shards(self, clients: Indices) -> Shards:
        """The same for several clients at once, in their order."""
        at = np.searchsorted(self.clients, clients)
        for client in clients[self.clients[np.minimum(at, len(self.clients) - 1)] != clients].tolist():
            self.position(client)
        starts, sizes = self._starts[at], self._splits[at] - self._starts[at]
        places = np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)
        return Shards(np.asarray(self._shards[places]), np.asarray(sizes))

    def holdout_examples(self, client: int) -> Indices:
        """Positions in `x` of the examples that a client evaluates on."""
        at = self.position(client)
        return self._shards[self._splits[at] : self._starts[at + 1]]

    def position(self, client: int) -> int:
        """Where a client stands in `clients`; raises KeyError for one whose examples are not here."""
        at = int(np.searchsorted(self.clients, client))
        if at == len(self.clients) or self.clients[at] != client:
            raise KeyError(f"client {client} is not among the {len(self.clients)} clients in {self.folder}")
        return at


def write_shards(
    folder: Path, meta: Meta, clients: Indices, shards: Shards, held: Indices, test: Indices, validation: Indices
) -> None:
    """Write everything but the examples themselves into `folder`.

    Each client's examples in `shards` are those it trains on, then the `held[client]` ones it holds out.
    """
    starts = shards.starts()
    arrays = {
        "clients": clients,
        "shards": shards.positions,
        "starts": starts,
        "splits": starts[1:] - held,
        "test": test,
        "validation": validation,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array, dtype=np.int64))
    (folder / META).write_text(meta.to_json())
