"""summary.json: how a run ended, its last and its best round, its speed, what it ran on."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from typing import Any

from common.metrics import primaries
from common.run_files import Metrics
from common.scenario import Scenario
from common.software import versions


def summarize(scenario: Scenario, history: list[Metrics], status: str, reason: str = "") -> dict[str, Any]:
    """The summary of the rounds so far; `status` is complete or incomplete, the latter for a `reason`."""
    seconds = sum(entry["seconds"] for entry in history if entry["round"])
    trained = sum(entry["clients"] for entry in history)
    return {
        "name": scenario.name,
        "status": status,
        **({"reason": reason} if reason else {}),
        "rounds": history[-1]["round"] if history else 0,
        "final": history[-1] if history else {},
        "best": _best(history, scenario.federation.strategy.outcome),
        "seconds": round(seconds, 3),
        "client_updates_per_second": round(trained / seconds, 3) if seconds else 0.0,
        "seed": scenario.seed,
        # A comparison of runs loads no code to know it.
        **({"more_is_better": own} if (own := scenario.evaluation.own_directions) else {}),
        "versions": _versions(),
    }


def _best(history: list[Metrics], outcome: str) -> Metrics | None:
    """The round that did best, never on test examples.

    By the clients' own models where a run is about those, else by the validation examples, else by held-out examples.
    """
    for split in ("personal", "validation", "holdout") if outcome == "own" else ("validation", "holdout"):
        for metric in primaries():
            key = f"{split}_{metric.name}"
            rounds = [entry for entry in history if _finite(entry.get(key))]
            if rounds:
                sign = -1 if metric.more_is_better else 1
                return {**min(rounds, key=lambda entry: sign * entry[key]), "by": key}
    return None


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "ray": version("ray"), **versions()}
