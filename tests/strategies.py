"""The strategies that there are, for tests of what all of them promise: a new one joins by being registered."""

from __future__ import annotations

from typing import get_args

from common.scenario.base import name_of
from common.scenario.strategies import STRATEGIES

NEEDS: dict[str, list[str]] = {"fedbn": ["model.normalization=batch"]}
"""What a strategy needs in the scenario besides itself, as overrides."""


def every_strategy() -> dict[str, list[str]]:
    """The overrides that ask for each strategy, and for each of its modes where it has some."""
    found = {}
    for part in STRATEGIES:
        name = name_of(part, "name")
        modes = get_args(part.model_fields["mode"].annotation) if "mode" in part.model_fields else ()
        for mode in modes or ("",):
            wanted = f"{{name: {name}, mode: {mode}}}" if mode else name
            found[f"{name} {mode}".strip()] = [f"federation.strategy={wanted}", *NEEDS.get(name, [])]
    return found
