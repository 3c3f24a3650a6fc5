"""What trackers have in common: they watch a run, as every observer does, and are told how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from common.extend.events import Observer
from common.run_files import Metrics
from common.scenario.flat import flat

if TYPE_CHECKING:
    from common.scenario import Scenario

RunStatus = Literal["complete", "interrupted", "failed"]


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker follows."""

    folder: Path
    """The run's folder; its name is the run's name."""
    scenario: Scenario
    history: list[Metrics]
    """The rounds before this start; empty unless the run was resumed."""
    changed: bool = False
    """Whether it was resumed with another scenario, other data or other software."""

    @property
    def settings(self) -> dict[str, Any]:
        """The scenario by dotted key, without the trackers themselves."""
        return flat(self.scenario.model_dump(mode="json", exclude_none=True, exclude={"tracking"}))


class Tracker(Observer):
    """Writes a run's rounds somewhere else. A resumed run continues there, each round once.

    Making one raises InputError where it cannot write. What goes wrong later costs the tracker, not the run.
    """

    def __init__(self, spec: Any, run: TrackedRun) -> None:
        """`spec` is the tracker's part of the scenario."""

    def ended(self, how: RunStatus) -> None:
        """The run is over; nothing more will come."""


def measured(metrics: Metrics) -> dict[str, float]:
    """A round's numbers by name, without the round itself."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if name != "round" and isinstance(value, int | float) and not isinstance(value, bool)
    }
