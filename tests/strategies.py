"""The strategies that there are, for tests of what all of them promise: a new one joins by being registered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import pytest

from common.scenario.strategy import STRATEGIES

NEEDS: dict[str, list[str]] = {"fedbn": ["model.normalization=batch"]}
"""What a strategy needs in the scenario besides itself, as overrides."""

OPTIONS = {"flower": "class: 'flwr.serverapp.strategy:FedAvgM', state: [momentum_vector]"}
"""What a strategy's options without a default are."""

_MOMENTUM = ["training.optimizer.momentum=0.9", "training.optimizer_state=client"]
VARIANTS: dict[str, list[str]] = {
    "competition best, champion kept": ["federation.strategy={name: competition, mode: best, keep_champion: true}"],
    "competition top_k, champion kept": [
        "federation.strategy={name: competition, mode: top_k, k: 2, keep_champion: true, judge: clients}",
    ],
    "competition tournament, champion kept, state copied": [
        "federation.strategy={name: competition, mode: tournament, keep_champion: true, adopted_state: copied}",
        *_MOMENTUM,
    ],
    "competition population, state reset": ["federation.strategy={name: competition, mode: population}", *_MOMENTUM],
}
"""Settings of strategies with which more is carried from round to round."""


def every_strategy() -> dict[str, list[str]]:
    """The overrides that ask for each strategy, for each of its modes where it has some, and for `VARIANTS`."""
    found = {}
    for name, part in STRATEGIES.parts.items():
        modes = get_args(part.model_fields["mode"].annotation) if "mode" in part.model_fields else ()
        for mode in modes or ("",):
            options = f"mode: {mode}" if mode else OPTIONS.get(name, "")
            wanted = f"{{name: {name}, {options}}}" if options else name
            found[f"{name} {mode}".strip()] = [f"federation.strategy={wanted}", *NEEDS.get(name, [])]
    return found | VARIANTS


def sampled(every: Iterable[Any], *quickly: Any) -> list[Any]:
    """Parameters of a test: those of `quickly` for the ordinary tests, the others for the slow ones."""
    assert set(quickly) <= set(every)
    return [pytest.param(one, marks=[pytest.mark.slow] * (one not in quickly)) for one in every]
