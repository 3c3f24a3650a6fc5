"""The machine an actor is on, where a Ray cluster has several: what it needs of the data is prepared there."""

from __future__ import annotations

import socket
from copy import copy
from pathlib import Path

from flwr.app import Context

from common.data import prepare
from common.errors import InputError
from common.scenario import Scenario
from common.software import versions

_DATA = "data-dir"


class Machine:
    """Tells an actor where the scenario's data is on its machine."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario, self.versions = scenario, versions()
        self._folder: Path | None = None

    def check(self) -> None:
        """Raise InputError where this machine has other software than the driver's: its bits might be others too."""
        theirs, mine = self.versions, versions()
        if differing := [f"{name} {mine[name]}, not {theirs[name]}" for name in mine if mine[name] != theirs[name]]:
            raise InputError(f"the machine {socket.gethostname()} has {', '.join(differing)}")

    def context(self, context: Context) -> Context:
        """The context with a data folder of this machine: the driver's, where machines share it, else one made here.

        Raises InputError, which names the machine, where the data cannot be prepared or is other data than the
        driver's.
        """
        theirs = context.node_config.get(_DATA)
        if theirs is None or Path(str(theirs)).exists():
            return context
        here = copy(context)
        here.node_config = {**context.node_config, _DATA: str(self._prepared(Path(str(theirs)).name))}
        return here

    def _prepared(self, key: str) -> Path:
        if self._folder is None:
            try:
                self._folder = prepare(self._scenario).folder
            except InputError as error:
                raise InputError(f"on the machine {socket.gethostname()}: {error}") from None
        if self._folder.name != key:
            raise InputError(f"the machine {socket.gethostname()} has other data than the one this run was started on")
        return self._folder
