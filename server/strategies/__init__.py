"""The strategies: `STRATEGIES` maps each `federation.strategy.name` to its class.

A new strategy is one file here (and one of the same name in `clients/algorithms` where clients do something
of their own), one line in `STRATEGIES` and one class in `common.scenario.strategies`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.strategies.base import Strategy
from server.strategies.fedavg import FedAvg

__all__ = ["STRATEGIES", "Strategy"]

STRATEGIES: dict[str, Callable[[Any], Strategy]] = {
    "fedavg": FedAvg,
}
