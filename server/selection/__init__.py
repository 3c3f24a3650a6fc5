"""Who takes part in a round: `SELECTIONS` maps each `federation.selection.name` to its rule.

A new rule is one file here, one line in `SELECTIONS` and one class in `common.scenario.selection`.
"""

from __future__ import annotations

from server.selection.base import Selection
from server.selection.by_size import BySize
from server.selection.oort import Oort
from server.selection.poisson import Poisson
from server.selection.power_of_choice import PowerOfChoice
from server.selection.round_robin import RoundRobin
from server.selection.schedule import Schedule
from server.selection.uniform import Uniform, select

__all__ = ["SELECTIONS", "Selection", "select"]

SELECTIONS: dict[str, type[Selection]] = {
    "uniform": Uniform,
    "by_size": BySize,
    "poisson": Poisson,
    "round_robin": RoundRobin,
    "power_of_choice": PowerOfChoice,
    "oort": Oort,
    "schedule": Schedule,
}
