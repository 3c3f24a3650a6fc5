"""Observers made for earlier versions, which had a method for each kind of event."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from common.extend.events import Event, Notice, Observer, RoundReport, RoundStarted, RunOpened, RunStarted, WorkerEvent
from common.run_files import Metrics

if TYPE_CHECKING:
    from common.models.predictor import Predictor

_BEFORE = (
    *("opened", "started", "agreed", "settled", "round_started", "worked", "called", "ranked"),
    *("round_ended", "happened", "finished"),
)


def as_observer(given: Any) -> Observer:
    """An observer as it was given, or one that calls the methods that it has of earlier versions, with a notice."""
    names = [name for name in _BEFORE if callable(getattr(given, name, None))]
    if not names:
        observer: Observer = given
        return observer
    warnings.warn(
        f"{type(given).__name__}.{names[0]}: observers have on_event, on_round_end and on_end now; the methods of "
        "earlier versions are called for one version more",
        FutureWarning,
        stacklevel=2,
    )
    return _TwelveMethodObserver(given)


class _TwelveMethodObserver(Observer):
    def __init__(self, given: Any) -> None:
        self._given = given

    def on_event(self, event: Event) -> None:
        self._call("on_event", event)
        match event:
            case RunOpened():
                self._call("opened", event.folder)
            case RunStarted():
                self._call("started", event.rounds, len(event.clients), event.parameters)
                self._call("agreed", event, event.data_spec)
                self._call("settled", event.facts)
            case RoundStarted():
                self._call("round_started", event.round, event.clients)
            case WorkerEvent():
                self._call("worked", event)
            case RoundReport():
                self._call("called", event)
                if event.leaderboard is not None:
                    self._call("ranked", event.round, event.leaderboard)
            case Notice():
                self._call("happened", event.name, event.round, event.details)

    def on_round_end(self, metrics: Metrics) -> None:
        self._call("on_round_end", metrics)
        self._call("round_ended", metrics)

    def on_end(self, model: Predictor) -> None:
        self._call("on_end", model)
        self._call("finished", model)

    def _call(self, name: str, *told: Any) -> None:
        method = getattr(self._given, name, None)
        if method is not None:
            method(*told)
