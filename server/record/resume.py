"""Going on with a run: its newest sound checkpoint, and what must not have changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.data import Prepared
from common.errors import InputError
from common.participation import read_participation
from common.run_files import Metrics, read_lines, read_metrics
from common.scenario import Scenario, identity_of
from common.scenario.flat import flat
from common.scenario.training import Training
from common.selection.schedule import Schedule
from common.software import versions
from server.evaluation.due import is_due
from server.exchange.client_states import ClientState
from server.record.checkpoints import About, latest
from server.record.state import RunState

_FREE = ("name", "federation.rounds", "checkpoints.every", "checkpoints.keep", "checkpoints.best")
"""Keys that may change without changing what the finished rounds were."""
_MEASURED = ("test_", "validation_", "holdout_", "personal_", "bytes_evaluation")


@dataclass
class Resumed:
    """Where a run resumes."""

    state: RunState | None
    """The state after the last saved round; None to begin again at round 0."""
    history: list[Metrics]
    """The lines of metrics.jsonl up to that round."""
    events: list[dict[str, Any]]
    """The lines of events.jsonl up to that round."""
    excluded: dict[int, dict[int, str]] = field(default_factory=dict)
    """For each later round that was completed before, the blocks that were left out of it, and why."""
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Events to tell: damaged checkpoints, changes that were allowed."""
    trainer: str | None = None
    """What trained so far, where that must not change."""
    client_states: Callable[[], Iterable[ClientState]] = tuple
    """What clients kept after that round, part by part."""


def about(scenario: Scenario, prepared: Prepared) -> About:
    """What a checkpoint of this run belongs to; where its numbers go besides decides nothing."""
    belongs: About = {
        "scenario": identity_of(scenario),
        "data": prepared.key,
        "versions": versions(),
    }
    if isinstance(scenario.federation.selection, Schedule):
        rounds = read_participation(Path(scenario.federation.selection.path))
        told = json.dumps({number: sorted(clients) for number, clients in sorted(rounds.items())})
        belongs["federation.selection.path, what it says"] = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
    return belongs


def resume(folder: Path, scenario: Scenario, prepared: Prepared, allow_changes: bool) -> Resumed:
    """Where the run in `folder` resumes.

    Raises InputError where the scenario, the data or the software is no longer what it was, unless
    `allow_changes`; the changes are then noted.
    """
    notes: list[tuple[str, dict[str, Any]]] = []

    def damaged(path: Path, reason: str) -> None:
        notes.append(("damaged", {"file": path.name, "reason": reason}))

    loaded = latest(folder / "checkpoints", damaged)
    lines, events = read_metrics(folder / "metrics.jsonl"), read_lines(folder / "events.jsonl")
    if loaded is None:
        return Resumed(None, [], [], _left_out(events, 0, _last(lines)), notes)
    trainer = loaded.about.pop("trainer", None)
    _rename_keys(loaded.about)
    changes = _differences(loaded.about, about(scenario, prepared))
    if changes and not allow_changes:
        raise InputError(
            "\n".join(
                [
                    f"{folder}: cannot resume; these have changed since the run started:",
                    *changes,
                    "Pass --allow-changes to resume anyway.",
                ]
            )
        )
    if changes:
        notes.append(("changed", {"differences": changes}))
    at = loaded.state.round
    if scenario.federation.rounds < at:
        raise InputError(f"{folder}: the run is at round {at} already; --rounds must be at least that")
    history = [entry for entry in lines if entry["round"] < at]
    # A run killed between a checkpoint and the round's line has lost how long the round took.
    now = next((entry for entry in lines if entry["round"] == at), {"seconds": 0.0, **loaded.state.metrics})
    history.append(_as_if_it_went_on(now, scenario))
    kept = [event for event in events if event.get("round", 0) <= at]
    left_out, same = _left_out(events, at, _last(lines)), None if allow_changes else trainer
    return Resumed(loaded.state, history, kept, left_out, notes, same, loaded.client_states)


def _last(lines: list[Metrics]) -> int:
    return max((entry["round"] for entry in lines), default=0)


def _left_out(events: list[dict[str, Any]], after: int, until: int) -> dict[int, dict[int, str]]:
    """The blocks that were left out of the rounds after `after` that were completed, up to `until`."""
    left_out: dict[int, dict[int, str]] = {}
    for event in events:
        if event.get("event") == "excluded" and "blocks" in event and after < event["round"] <= until:
            blocks = left_out.setdefault(event["round"], {})
            blocks.update(dict.fromkeys(event["blocks"], event["reason"]))
    return left_out


def _as_if_it_went_on(entry: Metrics, scenario: Scenario) -> Metrics:
    """The line of a run's last round without the evaluation that only a last round gets."""
    if is_due(scenario, entry["round"]):
        return entry
    return {name: value for name, value in entry.items() if not name.startswith(_MEASURED)}


def _rename_keys(before: About) -> None:
    """Keys of the scenario that had another name when the checkpoint was written."""
    training = before.get("scenario", {}).get("training", {})
    for old, new in Training.renamed.items():
        if old in training:
            training.setdefault(new, training.pop(old))
    # Before networks had names, all were MLPs.
    before.get("scenario", {}).get("model", {}).setdefault("name", "mlp")


def _differences(before: About, now: About) -> list[str]:
    """What differs, a line each."""
    old, new = flat(before), flat(now)
    differing = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return [
        f"  {name.removeprefix('scenario.')}: was {old.get(name, 'not set')}, is {new.get(name, 'not set')}"
        for name in differing
        if name.removeprefix("scenario.") not in _FREE
    ]
