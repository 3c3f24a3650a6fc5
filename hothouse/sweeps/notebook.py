"""How a sweep shows itself in a Jupyter notebook while it runs."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from common.run_files import Metrics
from hothouse.running.notebook import Picture
from hothouse.sweeps.display import LiveSweep
from hothouse.sweeps.execute import RunOutcome


class NotebookSweep(LiveSweep):
    """The live table of a sweep under the cell."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self._picture = Picture()

    def run_ended(self, name: str, outcome: RunOutcome, metrics: Metrics) -> None:
        """Show how a run ended."""
        super().run_ended(name, outcome, metrics)
        self._draw()

    def tick(self) -> None:
        """Show how things stand."""
        self._draw()

    def stop(self) -> None:
        """Show how it ended."""
        super().stop()
        self._draw(now=True)

    def _draw(self, now: bool = False) -> None:
        # Of what rich prints, tables are what notebooks know how to show.
        frame = Table.grid()
        frame.add_row(self.table())
        self._picture.show(frame, now)
