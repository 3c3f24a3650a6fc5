"""The server's half of a method: what it sends to a round's clients, and what it makes of their replies."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.extend.leaderboard import Leaderboard
from common.extend.results import BlockResult
from common.messages import InitialWeights
from common.run_files import Metrics
from common.scenario import Scenario
from common.scenario.registry import implementation
from common.scenario.strategy import STRATEGIES, StrategyPart

Scores = NDArray[np.float64]
"""One score for each model, more being better; NaN for a model that gives no number."""


class ModelScorer(Protocol):
    """Scores models by what the strategy says, else by the task's metric; errors with their sign turned."""

    metric: str
    more_is_better: bool

    def by_server(self, models: NamedArrays) -> Scores:
        """Scores on the server's validation examples: models (models, *shape)."""

    def by_clients(self, models: NamedArrays, judges: Indices) -> Scores:
        """Pooled scores on the held-out examples of the clients at the positions `judges`."""


class ClientLosses(Protocol):
    """The training objective of clients with the weights they were asked about; NaN for those that did not answer."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Each one's mean, (clients,)."""

    @property
    def root_mean_square(self) -> NDArray[np.float64]:
        """The root of the mean of its examples' squares, (clients,)."""


@dataclass(frozen=True)
class StrategyContext:
    """What a strategy, or a rule of selection, may know of the run it works in."""

    scenario: Scenario
    clients: Indices
    """The ids of the clients of the federation, ascending."""
    sizes: Indices
    """Their training examples, (clients,)."""
    scorer: ModelScorer
    losses: Callable[[NamedArrays, Indices], ClientLosses]
    """Asks the clients at the given positions for their losses with weights, parameters and buffers."""
    draw: Callable[[int], NamedArrays]
    """Weights, parameters and buffers, drawn as the scenario's are, once more for each number."""

    @property
    def seed(self) -> int:
        """The scenario's seed."""
        return self.scenario.seed


@dataclass(frozen=True)
class RoundStart:
    """What a round starts from."""

    number: int
    """Counted from 1."""
    parameters: NamedArrays
    """The global weights."""
    buffers: NamedArrays
    """The running statistics that go with them."""
    cohort: Indices
    """The positions, ascending, of the clients that are to train."""
    losses: NDArray[np.float64]
    """Their mean losses with these weights, (cohort,), where the strategy needs them; else empty."""


@dataclass(frozen=True)
class Instructions:
    """What the clients of a round are sent beside their settings."""

    parameters: NamedArrays | None = None
    """Starting weights for all clients; None for the global ones."""
    records: dict[str, NamedArrays] = field(default_factory=dict)
    """Further named arrays for all clients, such as a control variate."""
    own: dict[str, NamedArrays] = field(default_factory=dict)
    """Further named arrays of each client: (cohort, *shape)."""
    values: NamedArrays = field(default_factory=dict)
    """Settings that differ between clients, by dotted key: (cohort,)."""


@dataclass(frozen=True)
class Adoption:
    """Clients that continue with weights which are not what they trained: what they kept does not go with them."""

    adopters: Indices
    """Their positions."""
    givers: Indices
    """The positions of those whose state is copied for them; negative where they begin anew."""


@dataclass(frozen=True)
class RoundOutcome:
    """What a round comes to."""

    parameters: NamedArrays
    """The next global weights; those that are left out stay as they are."""
    buffers: NamedArrays | None = None
    """The running statistics that go with them; None to find them by the rule of the normalization."""
    metrics: Metrics = field(default_factory=dict)
    """What joins the round's line in metrics.jsonl."""
    leaderboard: Leaderboard | None = None
    """How the round's networks ranked, where they competed."""
    adoption: Adoption | None = None
    """Whose kept state goes with no weights any more."""
    events: tuple[tuple[str, dict[str, Any]], ...] = ()
    """What events.jsonl is to say of the round: an event and its details each."""


def outcome_of(weights: NamedArrays, parameters: Iterable[str], **more: Any) -> RoundOutcome:
    """The outcome of aggregating whole networks: `weights` has parameters and, under any other name, buffers."""
    named = set(parameters)
    buffers = {name: array for name, array in weights.items() if name not in named}
    return RoundOutcome({name: array for name, array in weights.items() if name in named}, buffers or None, **more)


class _Made(ABCMeta):
    """Closes an object once it is made."""

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        made = super().__call__(*arguments, **options)
        made.__dict__["_closed"] = True
        return made


class Strategy(metaclass=_Made):
    """Turns the replies of a round into the next global weights.

    All that it carries from round to round is in `state`: checkpoints, retries and a resume need nothing else of it.
    Setting another attribute once it is made raises AttributeError.
    """

    steps_without_clients: ClassVar[bool] = False
    """Whether a round without clients has an outcome; else the global weights stay as they are."""
    needs_client_losses: ClassVar[bool] = False
    """Whether the cohort is asked, before it trains, for its losses with the global weights."""

    def __init__(self, options: Any, context: StrategyContext) -> None:
        self.options, self.context = options, context
        self.state: NamedArrays = {}
        """Named arrays, empty before round 1."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "state" and self.__dict__.get("_closed"):
            raise AttributeError(
                f"{type(self).__name__}.{name} is set after the strategy was made, and no checkpoint has it; "
                "put what is carried from round to round into self.state, as named arrays"
            )
        super().__setattr__(name, value)

    def instruct(self, start: RoundStart) -> Instructions:
        """What to send to a round's clients: by default the global weights."""
        return Instructions()

    @abstractmethod
    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The outcome of the blocks' results, which come in block order and have weight."""

    def reported(self, weights: NamedArrays) -> NamedArrays:
        """The global model that is measured and saved, given the global weights, parameters and buffers."""
        return weights

    def initial_weights(self) -> InitialWeights:
        """The weights that clients, by their positions, continue with in place of what they are sent or have kept."""
        return InitialWeights()

    def candidates(self) -> NamedArrays:
        """Models from which each client may choose its own when it is measured: (models, *shape), buffers too."""
        return {}


def server_strategy(options: StrategyPart) -> type[Strategy]:
    """The server's half of a method: FedAvg's, the mean of the clients' weights, where it declares none."""
    part = options if "server" in options.halves else STRATEGIES.parts["fedavg"]
    found: type[Strategy] = implementation(part, "server")
    return found


def with_prefix(prefix: str, arrays: NamedArrays) -> NamedArrays:
    """The arrays under names that begin with `prefix`."""
    return {prefix + name: array for name, array in arrays.items()}


def under_prefix(prefix: str, arrays: NamedArrays) -> NamedArrays:
    """Those of the arrays whose names begin with `prefix`, without that beginning."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
