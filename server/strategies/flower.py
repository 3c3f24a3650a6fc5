"""Flower's own strategies, fed with blocks.

Flower's strategies expect to sample nodes and to get one reply per client. Here the cohort is chosen by the
scenario's seed and clients are summed in blocks, so a strategy is given a grid of one node to configure
itself on, and one clean reply per block: the block's mean and its number of rows, in block order. For a
strategy that is linear in the clients' weights the outcome is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy as FlwrStrategy
from flwr.supercore.run import Run

from common.arrays import Named, pack, unpack
from common.errors import RunError
from server.results import BlockResult
from server.strategies.base import Instructions, Strategy

ALONE: dict[str, Any] = {"min_train_nodes": 1, "min_evaluate_nodes": 1, "min_available_nodes": 1}
"""Arguments that let a Flower strategy configure itself on the grid of one node."""


class FlowerStrategy(Strategy):
    """A strategy of Flower's behind the interface of the round loop."""

    def __init__(self, strategy: FlwrStrategy) -> None:
        self.strategy = strategy
        self._asked: Message | None = None

    def instruct(self, round_number: int, parameters: ArrayRecord) -> Instructions:
        """Let the strategy note the weights it starts the round from; what it sends is what we send."""
        (self._asked,) = self.strategy.configure_train(round_number, parameters, ConfigRecord(), _OneNodeGrid())
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Named:
        """Hand the strategy one reply per block, in block order."""
        assert self._asked is not None
        replies = [
            Message(
                RecordDict(
                    {
                        "arrays": pack(result.mean()),
                        "metrics": MetricRecord({"num-examples": result.weight}),
                    }
                ),
                reply_to=self._asked,
            )
            for result in results
        ]
        arrays, _ = self.strategy.aggregate_train(round_number, replies)
        if arrays is None:
            raise RunError(f"{type(self.strategy).__name__} gave no weights in round {round_number}")
        return unpack(arrays)


class _OneNodeGrid(Grid):
    """A grid that has a node to select and carries no messages."""

    def get_node_ids(self) -> Iterable[int]:
        """The one node."""
        return [0]

    def set_run(self, run: Run) -> None:
        """Not used by strategies."""
        raise self._unused()

    @property
    def run(self) -> Run:
        """Not used by strategies."""
        raise self._unused()

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Not used by strategies."""
        raise self._unused()

    def push_messages(self, messages: Iterable[Message]) -> Sequence[str]:
        """Not used by strategies."""
        raise self._unused()

    def pull_messages(self, message_ids: Iterable[str]) -> Sequence[Message]:
        """Not used by strategies."""
        raise self._unused()

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Sequence[Message]:
        """Not used by strategies."""
        raise self._unused()

    @staticmethod
    def _unused() -> RuntimeError:
        return RuntimeError("a strategy configures itself here; it does not send messages")
