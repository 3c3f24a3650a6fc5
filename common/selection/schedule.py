"""Who takes part when is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import InputError
from common.extend.selection import SelectionRule
from common.participation import read_participation
from common.scenario.base import FilePath, key
from common.scenario.selection import SelectionPart

if TYPE_CHECKING:
    # Options are read without PyTorch and Flower.
    from common.arrays import NamedArrays
    from common.data.prepared import Indices
    from common.extend.strategy import StrategyContext


class Schedule(SelectionPart, name="schedule", runs=":ScheduleRule"):
    """Who takes part when stands in a file, and `clients_per_round` decides nothing.

    A YAML file holds a list of client ids for each round, by number (`3: [0, 4]`) or in order; a CSV file has the
    columns round and client and suits long schedules.
    """

    path: FilePath = key("The file: .yaml, .yml or .csv.")
    repeat: bool = key("Begin anew when the schedule is over.", False)


class ScheduleRule(SelectionRule):
    """The clients that a file names for each round."""

    def __init__(self, options: Any, context: StrategyContext, size: int) -> None:
        """Raises InputError where the file names clients that are not there, or leaves out a round of the run."""
        super().__init__(options, context, size)
        self._rounds = read_participation(Path(options.path))
        known = set(context.clients.tolist())
        for clients in self._rounds.values():
            for client, where in clients.items():
                if client not in known:
                    first, last = context.clients[0], context.clients[-1]
                    raise InputError(f"{where}: no client {client}; the federation has {len(known)}: {first} … {last}")
        self._length = max(self._rounds)
        needed = self._length if options.repeat else context.scenario.federation.rounds
        for number in range(1, needed + 1):
            if number not in self._rounds:
                raise InputError(
                    f"{options.path}: round {number} of {needed} is missing; give its clients"
                    + ("" if options.repeat else ", or let the schedule begin anew with repeat: true")
                )

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Those that stand in the file."""
        number = (round_number - 1) % self._length + 1
        return np.searchsorted(self.context.clients, sorted(self._rounds[number]))
