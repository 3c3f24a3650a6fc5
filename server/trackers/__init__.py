"""Trackers: where a run's numbers go besides its own folder, one file for each kind."""

from __future__ import annotations

from importlib.util import find_spec

from common.errors import InputError
from common.scenario import Scenario
from common.scenario.registry import implementation


def check_trackers(scenario: Scenario) -> None:
    """Raises InputError where the library of one of the scenario's trackers is missing."""
    for position, spec in enumerate(scenario.tracking):
        package = implementation(spec).package
        if package and find_spec(package) is None:
            raise InputError(
                f"{spec.kind} needs the package {package}: pip install 'hothouse[{spec.kind}]'", f"tracking.{position}"
            )
