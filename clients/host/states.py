"""What a deployed host's clients keep from round to round: a file for each client and version, on the host's disk.

A message names for each client the version that it builds on, which was committed, and the one that it writes. The
host keeps these two, so a message that comes twice gives the same answer twice.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.whole_files import write_whole

_FORGOTTEN_DAYS = 30
_NAME = re.compile(r"(\d+)-(\d+)\.safetensors")


class StateStore:
    """The states of a host's clients in one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, clients: Indices, versions: Indices) -> NamedArrays:
        """These clients' states at these versions, (clients, *shape); zeros for version 0, which is none.

        Without any state there are no arrays. Raises KeyError for a version that is not here.
        """
        found: NamedArrays = {}
        for row, (client, version) in enumerate(zip(clients.tolist(), versions.tolist(), strict=True)):
            if not version:
                continue
            path = self._path(client, version)
            if not path.exists():
                raise KeyError(f"this host does not have what client {client} kept in round {version}")
            for name, array in load_file(path).items():
                found.setdefault(name, np.zeros((len(clients), *array.shape), array.dtype))[row] = array
        return found

    def write(self, clients: Indices, committed: Indices, versions: Indices, states: NamedArrays) -> None:
        """Keep the rows of `states` as these versions; others than they and the committed ones are dropped.

        A newer version than the one that is written stays: what is written came late.
        """
        if not self._folder.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget_old_runs()
        here: dict[int, list[int]] = {}
        for path in self._folder.iterdir():
            if named := _NAME.fullmatch(path.name):
                here.setdefault(int(named[1]), []).append(int(named[2]))
        rows = zip(clients.tolist(), committed.tolist(), versions.tolist(), strict=True)
        for row, (client, old, new) in enumerate(rows):
            own = {name: np.array(array[row]) for name, array in states.items()}
            write_whole(self._path(client, new), save(own), at_once=False)
            for version in here.get(client, []):
                if version != old and version < new:
                    self._path(client, version).unlink(missing_ok=True)

    def _forget_old_runs(self) -> None:
        """Remove the states of runs that wrote none for long; a run that is resumed brings its own along."""
        oldest = time.time() - _FORGOTTEN_DAYS * 86_400
        for run in self._folder.parent.iterdir():
            if run.name.isdecimal() and run.stat().st_mtime < oldest:
                shutil.rmtree(run, ignore_errors=True)

    def _path(self, client: int, version: int) -> Path:
        return self._folder / f"{client}-{version}.safetensors"
