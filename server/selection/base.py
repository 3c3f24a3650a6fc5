"""What every rule of selection offers the round loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from common.arrays import Named
from common.data.prepared import Indices
from server.strategies.base import Surroundings


class Selection(ABC):
    """Chooses the clients of each round, from the scenario and what it saw; never by node ids or arrival."""

    def __init__(self, options: Any, surroundings: Surroundings, size: int) -> None:
        """`size` is how many clients a round is to have."""
        self.options, self.surroundings, self.size = options, surroundings, size

    @abstractmethod
    def cohort(self, round_number: int, weights: Named) -> Indices:
        """The positions, ascending, of the clients of a round that starts from `weights`, parameters and buffers."""

    def learn(self, round_number: int, positions: Indices) -> None:
        """Take note of who took part."""

    def state(self) -> Named:
        """What the rule carries from round to round, as named arrays."""
        return {}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
