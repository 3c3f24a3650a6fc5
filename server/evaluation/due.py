"""When the global model is measured."""

from __future__ import annotations

from common.scenario import Scenario


def is_due(scenario: Scenario, round_number: int) -> bool:
    """Whether the model is measured after this round."""
    return round_number % scenario.evaluation.every == 0 or round_number >= scenario.federation.rounds
