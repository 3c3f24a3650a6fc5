"""Every combination of a matrix and its seeds, in order."""

from __future__ import annotations

from common.run_files import Metrics
from hothouse.sweeps.execute import RunOutcome
from hothouse.sweeps.plan import Plan
from hothouse.sweeps.search import Trial


class Matrix:
    """The runs of a matrix, one after the other; none depends on another."""

    def __init__(self, plan: Plan) -> None:
        self._points = iter(plan.points)

    def next(self) -> Trial | None:
        """The next run; None where there is none left."""
        point = next(self._points, None)
        return None if point is None else Trial(point, None)

    def ended(self, name: str, outcome: RunOutcome, history: list[Metrics]) -> None:
        """Nothing follows from how a run ended."""
