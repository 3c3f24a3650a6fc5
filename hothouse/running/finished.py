"""A run as `hothouse.run` and `hothouse.load` give it: its folder, its report, and how a notebook shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hothouse.report.run import write_report
from hothouse.results.run_folder import RunFolder, run_folder
from hothouse.running.notebook import run_html

if TYPE_CHECKING:
    from common.models.predictor import Predictor


class Run(RunFolder):
    """What a run left in its folder; each part is read when it is asked for."""

    def own_model(self, client: int) -> Predictor:
        """The own model of a client, where the strategy leaves it one. Raises InputError where there is none."""
        # PyTorch takes a second to import, which a look at metrics does not need.
        from hothouse.results.own import own_model

        return own_model(self, client)

    def report(self, out: str | Path | None = None) -> Path:
        """Write the report, by default as report.html into the run's folder; returns its path."""
        return write_report(self.folder, out)

    def _repr_html_(self) -> str:
        """How it went, for notebooks."""
        return run_html(self)


def load(folder: str | Path, trust_code: bool = False) -> Run:
    """The run in a folder. Raises InputError where there is none.

    Code that came with an imported run is run, where its model or scenario needs it, only with `trust_code`.
    """
    return Run(run_folder(folder).folder, trust_code)
