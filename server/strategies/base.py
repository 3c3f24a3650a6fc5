"""What every strategy offers the round loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from flwr.app import ArrayRecord

from common.arrays import Named
from server.results import BlockResult


@dataclass
class Instructions:
    """What the clients of a round are sent beside their settings."""

    parameters: ArrayRecord
    """Starting weights for all clients."""
    records: dict[str, Named] = field(default_factory=dict)
    """Further named arrays for all clients, such as a control variate."""


class Strategy(ABC):
    """Turns the replies of a round into the next global weights."""

    @abstractmethod
    def instruct(self, round_number: int, parameters: ArrayRecord) -> Instructions:
        """What to send in this round, given the current global weights."""

    @abstractmethod
    def aggregate(self, round_number: int, results: list[BlockResult]) -> Named:
        """The next global weights from the blocks' results, which come in block order and have weight."""

    def state(self) -> Named:
        """What the strategy carries from round to round, as named arrays."""
        return {}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
