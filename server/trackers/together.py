"""All of a run's trackers as one observer; one that fails is let go, and the run goes on."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from common.run_files import Metrics
from common.scenario.registry import implementation
from server.events import Event, Notice, Observer
from server.trackers.base import Ending, Tracked, Tracker


class Trackers(Observer):
    """Used as a context: leaving it tells the trackers how the run ended."""

    def __init__(self, run: Tracked, recorder: Observer) -> None:
        """Start every tracker of the run's scenario; `recorder` is told of trackers that fail.

        Raises InputError where one cannot write and the run begins; a run that is resumed goes on without it.
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
        how: Ending = "complete" if kind is None else "failed"
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
