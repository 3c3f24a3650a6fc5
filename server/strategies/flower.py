"""Flower's own strategies, fed with blocks.

Flower's strategies expect to sample nodes and to get one reply per client. Here the cohort is chosen by the
scenario's seed and clients are summed in blocks, so a strategy is given a grid of one node to configure
itself on, and one clean reply per block: the block's mean and its number of rows, in block order. For a
strategy that is linear in the clients' weights the outcome is the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy as FlwrStrategy
from flwr.supercore.run import Run
from numpy.typing import NDArray

from common.arrays import LiveArray, Named, pack, unpack
from common.data.prepared import Indices
from common.errors import RunError
from common.messages import BUFFERS, Content
from server.exchange.results import BlockResult
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings, outcome_of

ALONE: dict[str, Any] = {"min_train_nodes": 1, "min_evaluate_nodes": 1, "min_available_nodes": 1}
"""Arguments that let a Flower strategy configure itself on the grid of one node."""
_METRICS = {"num-examples": "examples", "train_loss": "train_loss"}
"""The numbers that Flower's strategies expect of a client, and what they are called here."""


Own = TypeVar("Own", bound=FlwrStrategy)


class FlowerStrategy(Strategy, Generic[Own]):
    """A strategy of Flower's behind the interface of the round loop."""

    carried: ClassVar[tuple[str, ...]] = ()
    """The attributes that Flower's strategy carries from round to round: arrays by name or in a list, or None."""
    noted: ClassVar[tuple[str, ...]] = ()
    """Further ones that it sets anew when a round begins."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        self.strategy: Own = self.make(options)
        self._answer: Message | None = None
        """A reply to what the strategy sent last, to be filled."""

    @abstractmethod
    def make(self, options: Any) -> Own:
        """Flower's strategy with these options."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """Let the strategy note the weights it starts the round from; what it sends is what we send."""
        self._sent = unpack(parameters)
        self._like = self._sent | buffers
        given = _Loose.of(self._sent)
        (asked,) = self.strategy.configure_train(round_number, given, ConfigRecord(), _OneNodeGrid())
        self._answer = Message(Content({}), reply_to=asked)
        return Instructions(parameters)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """Hand the strategy its replies in block order: one for each block, or one for each client.

        Raises RunError where there are too few for it.
        """
        replies = self._each(results) if self.options.each else self._blocks(results)
        options = self.options.without(sum(len(result.refused) for result in results))
        if self.options.each and len(replies) < options.fewest:
            raise RunError(
                f"round {round_number}: {len(replies)} clients gave a usable answer, {options.name} needs "
                f"{options.fewest}: {options.bound or 'one at least'}; logs/run.log says what happened"
            )
        strategy = self.strategy if options is self.options else self.make(options)
        arrays, _ = strategy.aggregate_train(round_number, replies)
        if arrays is None:
            raise RunError(f"{type(self.strategy).__name__} gave no weights in round {round_number}")
        weights = {name: _numbers(array).astype(self._like[name].dtype) for name, array in arrays.items()}
        return outcome_of(weights, self._sent)

    def state(self) -> Named:
        """What Flower's strategy carries, as `attribute.name`; of a list the names are places."""
        state: Named = {}
        for attribute in self.carried:
            value = getattr(self.strategy, attribute) or {}
            parts = value if isinstance(value, dict) else {str(place): array for place, array in enumerate(value)}
            state |= {f"{attribute}.{name}": array for name, array in parts.items()}
        return state

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        for attribute in self.carried:
            parts = {
                key.removeprefix(f"{attribute}."): a for key, a in state.items() if key.startswith(f"{attribute}.")
            }
            listed = all(name.isdecimal() for name in parts)
            value = [parts[str(place)] for place in range(len(parts))] if listed else parts
            setattr(self.strategy, attribute, value or None)

    def usable(self, result: BlockResult, place: int) -> bool:
        """Whether the strategy is to see the client at `place` of the block."""
        return bool(result.metrics["examples"][place] > 0)

    def reply_metrics(self, result: BlockResult, place: int) -> dict[str, float]:
        """The numbers that go with the weights of the client at `place` of the block."""
        return {name: float(result.metrics[ours][place]) for name, ours in _METRICS.items()}

    def _blocks(self, results: list[BlockResult]) -> list[Message]:
        return [self._reply(_means(result), {"num-examples": result.weight}) for result in results]

    def _each(self, results: list[BlockResult]) -> list[Message]:
        kinds = ("parameters", BUFFERS) if self.options.robust else ("parameters",)
        return [
            self._reply(
                # In double precision: Flower's Krum finds distances as differences of squared norms, which would drown
                # the small distances between clients in rounding.
                _Loose.of(
                    {
                        name: rows[place].astype(np.float64)
                        for kind in kinds
                        for name, rows in result.rows.get(kind, {}).items()
                    }
                ),
                self.reply_metrics(result, place),
            )
            for result in results
            for place in range(len(result.block.clients))
            if self.usable(result, place)
        ]

    def _reply(self, arrays: ArrayRecord, metrics: dict[str, float]) -> Message:
        reply = copy(self._answer)
        assert reply is not None
        reply.content = Content({"arrays": arrays, "metrics": MetricRecord(dict(metrics))})
        return reply


def _numbers(array: Array) -> NDArray[Any]:
    """What Flower has just written as bytes, its header unread where it lies as it says it does.

    NumPy reads a header by Python's own parser, which takes longer than a small model's aggregation.
    """
    data, numbers = array.data, math.prod(array.shape)
    if b"'fortran_order': False" not in data[:128]:
        return array.numpy()
    kind = np.dtype(array.dtype)
    return np.frombuffer(data, kind, numbers, len(data) - numbers * kind.itemsize).reshape(array.shape)


class _Mean(LiveArray):
    """A weighted sum that is divided by its weight when it is looked at, a step before it is used."""

    def __init__(self, total: NDArray[Any], weight: float) -> None:
        super().__init__(total)
        self.__dict__["weight"] = total.dtype.type(weight)

    def numpy(self) -> NDArray[Any]:
        """The mean."""
        mean: NDArray[Any] = super().numpy() / self.__dict__["weight"]
        return mean


def _means(result: BlockResult) -> ArrayRecord:
    """The mean weights of the block's clients."""
    record = ArrayRecord()
    arrays = {name: _Mean(total, result.weight) for name, total in result.sums["parameters"].items()}
    record.__dict__["_data"].update(arrays)
    return record


class _Loose(ArrayRecord):
    """Arrays that a strategy may do with as it likes: some of Flower's change those of their replies in place.

    Flower's own record would collect garbage, in the whole process, each time a strategy takes its arrays out.
    """

    @classmethod
    def of(cls, arrays: Named) -> _Loose:
        """These arrays."""
        record = cls()
        record.__dict__["_data"].update(pack(arrays).items())
        return record

    def to_numpy_ndarrays(self, *, keep_input: bool = True) -> list[NDArray[Any]]:
        """Copies of the arrays."""
        return [np.array(array.numpy()) for array in self.values()]


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
