"""Flower's own strategies, fed with blocks.

Flower's strategies expect to sample nodes and to get one reply per client. Here the cohort is chosen by the
scenario's seed and clients are summed in blocks, so a strategy is given a grid of one node to configure
itself on, and one clean reply per block: the block's mean and its number of examples, in block order. For a
strategy that is linear in the clients' weights the outcome is the same. It is made anew for every round, and what it
carries from round to round is put into it and taken out of it by the names of its attributes.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp import strategy as flwr
from flwr.serverapp.strategy import Strategy as FlwrStrategy
from numpy.typing import NDArray

from common.arrays import LiveArray, NamedArrays, pack
from common.compat.flower import Run, fill
from common.errors import RunError
from common.extend.results import BlockResult
from common.extend.strategy import RoundOutcome, RoundStart, Strategy, StrategyContext, outcome_of, under_prefix
from common.messages import BUFFERS, Content

ALONE: dict[str, Any] = {"min_train_nodes": 1, "min_evaluate_nodes": 1, "min_available_nodes": 1}
"""Arguments that let a Flower strategy configure itself on the grid of one node."""
_METRICS = {"num-examples": "examples", "train_loss": "train_loss"}
"""The numbers that Flower's strategies expect of a client, and what they are called here."""


class FlowerStrategy(Strategy):
    """A strategy of Flower's behind the interface of the round loop."""

    carried: tuple[str, ...] = ()
    """The attributes that Flower's strategy carries from round to round: arrays by name or in a list, or None."""

    @abstractmethod
    def make(self, options: Any) -> FlwrStrategy:
        """Flower's strategy with these options."""

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """Hand the strategy its replies in block order: one for each block, or one for each client.

        Raises RunError where there are too few for it.
        """
        options = self.options.without(sum(len(result.refused) for result in results))
        strategy = self.make(options)
        self._give_back(strategy)
        given = _Loose.of(start.parameters)
        (asked,) = strategy.configure_train(start.number, given, ConfigRecord(), _OneNodeGrid())
        answer = Message(Content({}), reply_to=asked)
        replies = self._each(start, results, answer) if options.needs_client_updates else _blocks(results, answer)
        if options.needs_client_updates and len(replies) < options.fewest:
            raise RunError(
                f"round {start.number}: {len(replies)} clients sent a usable reply, {options.name} needs "
                f"{options.fewest}: {options.bound or 'one at least'}; see logs/run.log"
            )
        arrays, _ = strategy.aggregate_train(start.number, replies)
        if arrays is None:
            raise RunError(f"{type(strategy).__name__} returned no weights in round {start.number}")
        self.state = self._read_state(strategy)
        like = start.parameters | start.buffers
        weights = {name: _numbers(array).astype(like[name].dtype) for name, array in arrays.items()}
        return outcome_of(weights, start.parameters)

    def usable(self, start: RoundStart, result: BlockResult, place: int) -> bool:
        """Whether the strategy is to see the client at `place` of the block."""
        return bool(result.took_part[place])

    def reply_metrics(self, start: RoundStart, result: BlockResult, place: int) -> dict[str, float]:
        """The numbers that go with the weights of the client at `place` of the block."""
        return {name: float(result.metrics[ours][place]) for name, ours in _METRICS.items()}

    def _read_state(self, strategy: FlwrStrategy) -> NamedArrays:
        """What Flower's strategy carries, as `attribute.name`; of a list the names are places."""
        state: NamedArrays = {}
        for attribute in self.carried:
            value = getattr(strategy, attribute) or {}
            parts = value if isinstance(value, dict) else {str(place): array for place, array in enumerate(value)}
            state |= {f"{attribute}.{name}": array for name, array in parts.items()}
        return state

    def _give_back(self, strategy: FlwrStrategy) -> None:
        for attribute in self.carried:
            parts = under_prefix(f"{attribute}.", self.state)
            listed = all(name.isdecimal() for name in parts)
            value = [parts[str(place)] for place in range(len(parts))] if listed else parts
            setattr(strategy, attribute, value or None)

    def _each(self, start: RoundStart, results: list[BlockResult], answer: Message) -> list[Message]:
        kinds = ("parameters", BUFFERS) if self.options.robust else ("parameters",)
        return [
            _reply(
                answer,
                # In double precision: Flower's Krum finds distances as differences of squared norms, which would drown
                # the small distances between clients in rounding.
                _Loose.of(
                    {
                        name: rows[place].astype(np.float64)
                        for kind in kinds
                        for name, rows in result.rows.get(kind, {}).items()
                    }
                ),
                self.reply_metrics(start, result, place),
            )
            for result in results
            for place in range(len(result.block.clients))
            if self.usable(start, result, place)
        ]


class _Plain(FlowerStrategy):
    """One that needs nothing but options."""

    def __init__(
        self,
        options: Any,
        context: StrategyContext,
        made_by: Callable[..., FlwrStrategy],
        carries: tuple[str, ...],
        names: dict[str, str],
    ) -> None:
        super().__init__(options, context)
        self._made_by, self._names = made_by, names
        self.carried = carries

    def make(self, options: Any) -> FlwrStrategy:
        """Flower's strategy, its arguments the options of ours."""
        return self._made_by(**{theirs: getattr(options, ours) for ours, theirs in self._names.items()}, **ALONE)


def _of(
    made_by: Callable[..., FlwrStrategy], *options: str, carries: tuple[str, ...] = (), **renamed: str
) -> Callable[[Any, StrategyContext], FlowerStrategy]:
    """A strategy of Flower's that takes these options, some `renamed`, and carries these attributes."""
    names = {name: name for name in options} | renamed
    return lambda given, context: _Plain(given, context, made_by, carries, names)


_MOMENTS = ("m_t", "v_t")

fedavg = _of(flwr.FedAvg)
fedprox = _of(flwr.FedProx, mu="proximal_mu")
fedavgm = _of(flwr.FedAvgM, "server_learning_rate", "server_momentum", carries=("momentum_vector",))
fedadagrad = _of(flwr.FedAdagrad, "eta", "tau", carries=_MOMENTS)
fedadam = _of(flwr.FedAdam, "eta", "beta_1", "beta_2", "tau", carries=_MOMENTS)
fedyogi = _of(flwr.FedYogi, "eta", "beta_1", "beta_2", "tau", carries=_MOMENTS)
fedmedian = _of(flwr.FedMedian)
krum = _of(flwr.Krum, malicious_clients="num_malicious_nodes")
multikrum = _of(flwr.MultiKrum, malicious_clients="num_malicious_nodes", selected_clients="num_nodes_to_select")
bulyan = _of(flwr.Bulyan, malicious_clients="num_malicious_nodes")


def _blocks(results: list[BlockResult], answer: Message) -> list[Message]:
    return [_reply(answer, _means(result), {"num-examples": result.weight}) for result in results]


def _reply(answer: Message, arrays: ArrayRecord, metrics: dict[str, float]) -> Message:
    reply = copy(answer)
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
    fill(record, arrays)
    return record


class _Loose(ArrayRecord):
    """Arrays that a strategy may do with as it likes: some of Flower's change those of their replies in place.

    Flower's own record would collect garbage, in the whole process, each time a strategy takes its arrays out.
    """

    @classmethod
    def of(cls, arrays: NamedArrays) -> _Loose:
        """These arrays."""
        record = cls()
        fill(record, pack(arrays))
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
