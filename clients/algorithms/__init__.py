"""What clients do beyond plain local training: the clients' half of a strategy."""

from __future__ import annotations

from clients.algorithms.base import Algorithm, Ended, OwnRound
from common.scenario.registry import implementation
from common.scenario.strategies import StrategyPart

__all__ = ["Algorithm", "Ended", "OwnRound", "algorithm_of"]


def algorithm_of(strategy: StrategyPart) -> type[Algorithm]:
    """The clients' half of a strategy: plain local training where it declares none."""
    found: type[Algorithm] = implementation(strategy, "client") if "client" in strategy.halves else Algorithm
    return found
