"""Checking a scenario without running it: every mistake, and what is worth knowing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.data import Prepared, prepare
from common.data.augmentable import augmentation_hints
from common.participation import read_participation
from common.resolve import resolve_scenario
from common.scenario import Scenario, load_scenario, located
from common.selection.schedule import Schedule
from hothouse.inspect.hints import hints
from hothouse.inspect.network import describe_network
from server.trackers import check_trackers


@dataclass(frozen=True)
class CheckResult:
    """A scenario that can be run."""

    scenario: Scenario
    prepared: Prepared
    network: str
    """What is trained, which way and why."""
    hints: list[str]
    """What the user should know: what the data's source left out, what is rarely wise, with its reason."""


def check(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> CheckResult:
    """The scenario and its data, checked. Raises InputError: a line for each mistake, with its place."""
    with located(source, overrides):
        scenario = resolve_scenario(load_scenario(source, overrides))
        check_trackers(scenario)
        if isinstance(scenario.federation.selection, Schedule):
            read_participation(Path(scenario.federation.selection.path))
        prepared = prepare(scenario)
        network = describe_network(scenario, prepared)
    found = [*hints(scenario, prepared), *augmentation_hints(scenario.training.augmentation, prepared.meta)]
    return CheckResult(scenario, prepared, network, found)
