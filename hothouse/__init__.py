"""Hothouse: federated and collaborative training, simulated fast, exactly and on one machine or many.

import hothouse

run = hothouse.run("scenarios/quickstart.yaml", workers=2)
run.metrics  # a pandas.DataFrame, one row per round
run.model    # the final global model, a torch.nn.Module
run.report() # writes report.html, which is there already
hothouse.compare(["runs/one", "runs/other"]).table
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from common.errors import InputError, RunError

if TYPE_CHECKING:
    from hothouse.comparison import compare
    from hothouse.results.ancestry import lineage
    from hothouse.running.finished import Run, load
    from hothouse.running.launch import resume, run
    from hothouse.sweeps.result import Sweep
    from hothouse.sweeps.sweep import sweep

__version__ = version("hothouse")

__all__ = [
    "InputError",
    "Run",
    "RunError",
    "Sweep",
    "__version__",
    "compare",
    "lineage",
    "load",
    "resume",
    "run",
    "sweep",
]

_HOMES = {
    "run": "hothouse.running.launch",
    "resume": "hothouse.running.launch",
    "sweep": "hothouse.sweeps.sweep",
    "compare": "hothouse.comparison",
    "lineage": "hothouse.results.ancestry",
    "Run": "hothouse.running.finished",
    "Sweep": "hothouse.sweeps.result",
    "load": "hothouse.running.finished",
}


def __getattr__(name: str) -> Any:
    # PyTorch, Flower and Ray are imported when something is run, not when this package is looked at.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hothouse' has no attribute {name!r}")
