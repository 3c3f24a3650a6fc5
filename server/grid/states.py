"""What clients keep from one round to the next, beside the run: in memory first, then on disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.arrays import NamedArrays, numbers
from common.data.prepared import Indices


@dataclass
class _Batch:
    """The states that one reply brought: rows of several clients."""

    arrays: NamedArrays
    live: int
    folder: Path | None = None

    def spill(self, folder: Path) -> None:
        """Move the arrays to files, mapped when they are looked at."""
        folder.mkdir(parents=True)
        mapped = {}
        for position, (name, array) in enumerate(self.arrays.items()):
            np.save(folder / f"{position}.npy", array)
            mapped[name] = np.load(folder / f"{position}.npy", mmap_mode="r")
        self.arrays, self.folder = mapped, folder

    def drop(self) -> None:
        """Remove the files."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class ClientStates:
    """Each client's state, in the version that was committed last and in the newest one.

    A message names the version it builds on, so a message that is answered twice gives the same answer twice:
    what the first answer left is a newer version, which nobody has named yet.
    """

    def __init__(self, memory: int = 1 << 30) -> None:
        """`memory` is how many bytes may stay in memory; beyond it the oldest states go to a temporary folder."""
        self._memory, self._held = memory, 0
        self._batches: dict[int, _Batch] = {}
        self._next = 0
        self._places: dict[int, dict[int, tuple[int, int]]] = {}
        """client → version → (batch, row)"""
        self._named: dict[int, int] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def put(self, version: int, clients: Indices, arrays: NamedArrays) -> None:
        """Keep the rows of `arrays`, each (clients, *shape), as these clients' states of `version`."""
        key, self._next = self._next, self._next + 1
        self._batches[key] = _Batch(arrays, len(clients))
        self._held += numbers(arrays)
        for row, client in enumerate(clients.tolist()):
            places = self._places.setdefault(client, {})
            for old in [v for v in places if v != self._named.get(client) or v == version]:
                self._forget(places.pop(old)[0])
            places[version] = (key, row)
        self._make_room()

    def get(self, clients: Indices, versions: Indices) -> tuple[NamedArrays, NDArray[np.bool_]]:
        """The states of these clients at these versions, and which of them have none yet.

        Version 0 is no state: its rows are zeros. Without any state there are no arrays. Raises KeyError for
        a version that was never kept.
        """
        fresh = versions == 0
        rows: list[tuple[int, int] | None] = []
        for client, version in zip(clients.tolist(), versions.tolist(), strict=True):
            self._named[client] = version
            rows.append(self._places[client][version] if version else None)
        known = next((self._batches[place[0]].arrays for place in rows if place is not None), None)
        if known is None:
            return {}, fresh
        found = {name: np.zeros((len(clients), *array.shape[1:]), array.dtype) for name, array in known.items()}
        for row, place in enumerate(rows):
            if place is not None:
                for name, array in self._batches[place[0]].arrays.items():
                    found[name][row] = array[place[1]]
        return found, fresh

    def close(self) -> None:
        """Remove what is on disk."""
        if self._folder is not None:
            self._folder.cleanup()

    def _forget(self, key: int) -> None:
        batch = self._batches[key]
        batch.live -= 1
        if not batch.live:
            if batch.folder is None:
                self._held -= numbers(batch.arrays)
            batch.drop()
            del self._batches[key]

    def _make_room(self) -> None:
        for key, batch in self._in_memory():
            if self._held <= self._memory:
                return
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="hothouse-states-")
            self._held -= numbers(batch.arrays)
            batch.spill(Path(self._folder.name) / str(key))

    def _in_memory(self) -> Iterable[tuple[int, _Batch]]:
        return [(key, batch) for key, batch in self._batches.items() if batch.folder is None]
