"""Observers: what a program that watches a run is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hothouse
from common.extend.events import Event, Notice, Observer, RoundReport, RoundStarted, RunOpened, RunStarted, WorkerEvent

SHORT = ["federation.rounds=2", "training.epochs=1"]


class Everything(Observer):
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rounds: list[int] = []
        self.models = 0

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_round_end(self, metrics: dict[str, Any]) -> None:
        self.rounds.append(metrics["round"])

    def on_end(self, model: Any) -> None:
        self.models += 1


def test_an_observer_is_told_everything_in_order(quickstart: Path, tmp_path: Path) -> None:
    seen = Everything()
    run = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "run", observers=[seen])
    kinds = [type(event) for event in seen.events if not isinstance(event, WorkerEvent | Notice)]
    assert kinds == [RunOpened, RunStarted, RoundReport, RoundStarted, RoundReport, RoundStarted, RoundReport]
    assert seen.rounds == [0, 1, 2]
    assert seen.models == 1
    opened, started = seen.events[0], next(event for event in seen.events if isinstance(event, RunStarted))
    assert opened == RunOpened(run.folder)
    assert (started.rounds, len(started.clients), started.facts["engine"]) == (2, 20, run.summary["engine"])
    written = [event["event"] for event in run.events]
    assert [event.name for event in seen.events if isinstance(event, Notice) and event.name in written] == written


def test_methods_of_earlier_versions_are_called_with_a_notice(quickstart: Path, tmp_path: Path) -> None:
    class Earlier:
        def __init__(self) -> None:
            self.told: list[tuple[Any, ...]] = []

        def opened(self, folder: Path) -> None:
            self.told.append(("opened", folder))

        def started(self, rounds: int, clients: int, parameters: int) -> None:
            self.told.append(("started", rounds, clients, parameters))

        def agreed(self, federation: Any, agreement: Any) -> None:
            self.told.append(("agreed", len(federation.clients), agreement.task))

        def round_ended(self, metrics: dict[str, Any]) -> None:
            self.told.append(("round_ended", metrics["round"]))

        def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
            self.told.append(("happened", event))

        def finished(self, model: Any) -> None:
            self.told.append(("finished",))

    earlier: Any = Earlier()
    with pytest.warns(FutureWarning, match="observers have on_event, on_round_end and on_end now"):
        run = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "run", observers=[earlier])
    told = [one for one in earlier.told if one[0] != "happened"]
    parameters = run.summary["parameters"]
    assert told[:3] == [("opened", run.folder), ("started", 2, 20, parameters), ("agreed", 20, "classification")]
    assert told[3:] == [("round_ended", 0), ("round_ended", 1), ("round_ended", 2), ("finished",)]
    assert ("happened", "checkpoint") in earlier.told
