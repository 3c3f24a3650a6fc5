"""`tracking:` where a run's numbers go besides its own folder: one class for each `kind`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo

from common.scenario.base import FilePath, Part, absolute, key
from common.scenario.registry import Family

TRACKERS: Family[TrackerPart] = Family("trackers", "kind")


class TrackerPart(Part):
    """Where a run's numbers go."""

    family: ClassVar[Family[TrackerPart]] = TRACKERS

    kind: str = ""


def _file_or_address(value: Any, info: ValidationInfo) -> Any:
    return value if isinstance(value, str) and "://" in value else absolute(value, info)


class CsvTracking(TrackerPart, name="csv", runs="server.trackers.csv:CsvTracker"):
    """A CSV file with a row per round, for spreadsheets."""

    folder: FilePath | None = key(
        "Where to put NAME.csv, named as the run's folder; metrics.csv in the run's own folder if left out.", None
    )


class TensorBoardTracking(TrackerPart, name="tensorboard", runs="server.trackers.tensorboard:TensorBoardTracker"):
    """Event files for TensorBoard; needs hothouse[tensorboard]."""

    folder: FilePath | None = key(
        "A log directory: the run goes into a folder of its own name there. "
        "`tensorboard` in the run's own folder if left out.",
        None,
    )


class MlflowTracking(TrackerPart, name="mlflow", runs="server.trackers.mlflow:MlflowTracker"):
    """A run in an MLflow store; needs hothouse[mlflow]."""

    experiment: Annotated[str, Field(min_length=1)] | None = key(
        "The experiment the run belongs to; the scenario's name if left out.", None
    )
    store: Annotated[str, BeforeValidator(_file_or_address)] | None = key(
        "A SQLite file, or the address of an MLflow server; mlflow.db beside the run's folder if left out.", None
    )


Tracker = Annotated[TrackerPart, TRACKERS]
