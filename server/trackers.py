"""All of a run's trackers as one observer; one that fails is let go, and the run continues."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from common.errors import InputError
from common.extend.events import Event, Notice, Observer
from common.extend.tracker import RunStatus, TrackedRun, Tracker
from common.run_files import Metrics
from common.scenario import Scenario
from common.scenario.registry import implementation
from server.record.resume import Resumed


class Trackers(Observer):
    """Used as a context: leaving it tells the trackers how the run ended."""

    def __init__(self, run: TrackedRun, recorder: Observer) -> None:
        """Start every tracker of the run's scenario; `recorder` is told of trackers that fail.

        Raises InputError where one cannot write and the run begins; a run that is resumed continues without it.
        """
        self._recorder, self._round = recorder, len(run.history)
        self._trackers: list[Tracker] = []
        for spec in run.scenario.tracking:
            try:
                self._trackers.append(implementation(spec)(spec, run))
            except Exception as error:
                if not run.history:
                    raise
                self._failed(implementation(spec).__name__, error)

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        how: RunStatus = "complete" if kind is None else "failed"
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            how = "interrupted"
        self._each(lambda tracker: tracker.ended(how))

    def on_round_end(self, metrics: Metrics) -> None:
        """Pass the round's numbers on."""
        self._round = metrics["round"]
        self._each(lambda tracker: tracker.on_round_end(metrics))

    def on_event(self, event: Event) -> None:
        """Pass the event on."""
        self._each(lambda tracker: tracker.on_event(event))

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                act(tracker)
            except Exception as error:
                # The run is worth more than its copy elsewhere.
                self._trackers.remove(tracker)
                self._failed(type(tracker).__name__, error)

    def _failed(self, name: str, error: Exception) -> None:
        reason = f"{name}: {type(error).__name__}: {error}"
        self._recorder.on_event(Notice("tracking failed", self._round, {"reason": reason}))


def check_trackers(scenario: Scenario) -> None:
    """Raises InputError where the library of one of the scenario's trackers is missing."""
    for position, spec in enumerate(scenario.tracking):
        if spec.package and find_spec(spec.package) is None:
            raise InputError(
                f"{spec.kind} needs the package {spec.package}: pip install 'hothouse[{spec.kind}]'",
                f"tracking.{position}",
            )


def tracked_run(folder: Path, scenario: Scenario, resumed: Resumed | None) -> TrackedRun:
    """The run in `folder`, from its beginning or from where it is resumed."""
    if resumed is None:
        return TrackedRun(folder, scenario, [])
    return TrackedRun(folder, scenario, list(resumed.history), any(event == "changed" for event, _ in resumed.notes))
