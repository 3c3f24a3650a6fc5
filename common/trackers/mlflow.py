"""A run in an MLflow store: the scenario as parameters, a metric per round as step."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from filelock import FileLock
from pydantic import BeforeValidator, Field, ValidationInfo

from common.errors import InputError
from common.extend.tracker import RunStatus, TrackedRun, Tracker, measured
from common.run_files import Metrics
from common.scenario.base import absolute, key
from common.scenario.tracking import TrackerPart
from common.whole_files import write_whole

if TYPE_CHECKING:
    from mlflow import MlflowClient

_STATUS = {"complete": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_LONGEST = 6000
"""Characters in a parameter's value, at most."""
_MOST = 100
"""Parameters in a request, at most."""


def _file_or_address(value: Any, info: ValidationInfo) -> Any:
    return value if isinstance(value, str) and "://" in value else absolute(value, info)


class MlflowTracking(TrackerPart, name="mlflow", runs=":MlflowTracker"):
    """A run in an MLflow store; needs hothouse[mlflow]."""

    package: ClassVar[str | None] = "mlflow"

    experiment: Annotated[str, Field(min_length=1)] | None = key(
        "The experiment the run belongs to; the scenario's name if left out.", None
    )
    store: Annotated[str, BeforeValidator(_file_or_address)] | None = key(
        "A SQLite file, or the address of an MLflow server; mlflow.db beside the run's folder if left out.", None
    )


class MlflowTracker(Tracker):
    """Logs into one MLflow run, whose id is kept in the run's folder, however often the run is resumed.

    Rounds that were logged already are not logged again: they would be there twice, with the same numbers. A
    run that was resumed with changes gets an MLflow run of its own.
    """

    def __init__(self, spec: MlflowTracking, run: TrackedRun) -> None:
        """Begin or resume. Raises InputError where the store cannot be used."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.exceptions import MlflowException

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._run, self._note = run, run.folder / "mlflow.json"
        store = spec.store or str(run.folder.absolute().parent / "mlflow.db")
        try:
            # Processes that make the same database at once get in each other's way.
            with _alone(store):
                self._client = _client(store)
                self._id = self._former(store) or self._fresh(spec, store)
            steps = self._client.get_metric_history(self._id, "seconds")
            self._logged = {point.step for point in steps}
            for entry in run.history:
                self.on_round_end(entry)
        except (OSError, MlflowException) as error:
            raise InputError(f"{store}: MLflow cannot use this store ({' '.join(str(error).split())})") from None

    def on_round_end(self, metrics: Metrics) -> None:
        """Log the round's numbers, unless they are there."""
        from mlflow.entities import Metric

        number = metrics["round"]
        if number in self._logged:
            return
        now = time.time_ns() // 1_000_000
        found = [Metric(name, value, now, number) for name, value in measured(metrics).items()]
        self._client.log_batch(self._id, metrics=found)

    def ended(self, how: RunStatus) -> None:
        """Say how the run ended."""
        self._client.set_terminated(self._id, _STATUS[how])

    def _former(self, store: str) -> str | None:
        """The MLflow run that this run has been logged into, set going again."""
        from mlflow.entities import LifecycleStage
        from mlflow.exceptions import MlflowException

        former = self._noted().get(store)
        if former is None or self._run.changed:
            return None
        try:
            there = self._client.get_run(former)
        except MlflowException:
            return None
        if there.info.lifecycle_stage != LifecycleStage.ACTIVE:
            # Somebody has deleted it; the rounds so far are logged again.
            return None
        known = there.data.params
        for name, value in _parameters(self._run).items():
            if known.get(name) != value:
                # MLflow's parameters cannot be changed; of those that may, such as the number of rounds, a tag tells.
                self._client.set_tag(former, name, value)
        self._client.update_run(former, status="RUNNING")
        return former

    def _fresh(self, spec: MlflowTracking, store: str) -> str:
        from mlflow.entities import Param

        name = spec.experiment or self._run.scenario.name
        experiment = self._client.get_experiment_by_name(name)
        if experiment is not None:
            where = experiment.experiment_id
        else:
            beside = None if "://" in store else Path(store).with_suffix(".artifacts").as_uri()
            where = self._client.create_experiment(name, artifact_location=beside)
        tags = {"hothouse.folder": str(self._run.folder.absolute()), "hothouse.version": version("hothouse")}
        made = str(self._client.create_run(where, run_name=self._run.folder.name, tags=tags).info.run_id)
        parameters = [Param(*one) for one in _parameters(self._run).items()]
        for start in range(0, len(parameters), _MOST):
            self._client.log_batch(made, params=parameters[start : start + _MOST])
        write_whole(self._note, json.dumps(self._noted() | {store: made}).encode())
        return made

    def _noted(self) -> dict[str, str]:
        """The ids of this run's MLflow runs by store."""
        try:
            return dict(json.loads(self._note.read_text()))
        except (OSError, ValueError):
            return {}


def _parameters(run: TrackedRun) -> dict[str, str]:
    return {name: str(value)[:_LONGEST] for name, value in run.settings.items()}


def _client(store: str) -> MlflowClient:
    from mlflow import MlflowClient

    if "://" in store:
        return MlflowClient(store)
    Path(store).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(f"sqlite:///{store}")


def _alone(store: str) -> AbstractContextManager[Any]:
    if "://" in store:
        return nullcontext()
    Path(store).parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{store}.lock")
