"""One run of a sweep: started or resumed, and how it ended, whatever happens."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.errors import InputError, RunError
from common.extend.events import Observer
from common.run_files import Metrics
from common.scenario import Scenario
from hothouse.running.launch import Engine, resume, run
from hothouse.sweeps.pruning import Pruned, Pruner, PruningRule
from hothouse.sweeps.result import history_of, summary_of

Status = Literal["complete", "pruned", "failed", "interrupted"]


@dataclass(frozen=True)
class Job:
    """A run to be done."""

    folder: Path
    scenario: Scenario
    workers: int
    """Ray actors that train its clients; with one, the run's own process does."""
    rule: PruningRule | None = None
    """When to stop it early."""
    allow_changes: bool = False
    """Go on with a run although the software changed since."""

    @property
    def engine(self) -> Engine:
        """What trains its clients; the local engine knows no deadlines."""
        return "ray" if self.workers > 1 or self.scenario.federation.deadline else "local"


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended, and why where it is not complete."""

    status: Status
    reason: str = ""


def execute(job: Job, stopped: Callable[[], bool] = lambda: False) -> RunOutcome:
    """Do the run, or what is left of it; `stopped` is asked after every round whether to leave it at that.

    Nothing that happens to a run is raised, for it must not happen to the others.
    """
    observers: list[Observer] = [StopObserver(stopped)]
    if job.rule is not None:
        observers.append(Pruner(job.rule, lambda: history_of(job.folder)))
    try:
        _resume(job, observers)
    except Pruned as error:
        return RunOutcome("pruned", str(error))
    except (InputError, RunError) as error:
        return RunOutcome("failed", str(error))
    except KeyboardInterrupt:
        return RunOutcome("interrupted")
    except Exception as error:
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "failure.log").write_text(traceback.format_exc())
        return RunOutcome("failed", f"{type(error).__name__}: {error}; {job.folder / 'failure.log'} has the traceback")
    return RunOutcome("complete")


class StopObserver(Observer):
    """Ends a run after the round in which that is wished."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def on_round_end(self, metrics: Metrics) -> None:
        """Raises KeyboardInterrupt, as Ctrl-C does."""
        if self._stopped():
            raise KeyboardInterrupt


def _resume(job: Job, observers: list[Observer]) -> None:
    status = summary_of(job.folder).get("status")
    if status is None:
        # Killed before there was anything to resume.
        shutil.rmtree(job.folder, ignore_errors=True)
        run(job.scenario, out=job.folder, workers=job.workers, engine=job.engine, observers=observers)
    elif status != "complete":
        resume(job.folder, workers=job.workers, engine=job.engine, allow_changes=job.allow_changes, observers=observers)
