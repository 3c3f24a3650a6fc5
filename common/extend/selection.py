"""What every rule of selection offers the round loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Options are read without PyTorch and Flower.
    from common.arrays import NamedArrays
    from common.data.prepared import Indices
    from common.extend.strategy import StrategyContext


class SelectionRule(ABC):
    """Chooses the clients of each round, from the scenario and what it saw; never by node ids or arrival."""

    def __init__(self, options: Any, context: StrategyContext, size: int) -> None:
        """`size` is how many clients a round is to have."""
        self.options, self.context, self.size = options, context, size
        self.state: NamedArrays = {}
        """All that the rule carries from round to round."""

    @abstractmethod
    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """The positions, ascending, of the clients of a round that starts from `weights`, parameters and buffers."""

    def learn(self, round_number: int, positions: Indices) -> None:
        """Take note of who took part."""
