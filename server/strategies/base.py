"""What every strategy offers the round loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from flwr.app import ArrayRecord

from common.arrays import Named
from common.data.prepared import Indices
from common.messages import Starts
from common.scenario import Scenario
from server.evaluation.judging import Judging
from server.evaluation.losses import TrainingLosses
from server.exchange.results import BlockResult
from server.record.ladder import Ladder
from server.record.observers import Metrics


@dataclass(frozen=True)
class Surroundings:
    """What a strategy may know of the run it works in."""

    scenario: Scenario
    clients: Indices
    """The ids of the clients of the federation, ascending."""
    sizes: Indices
    """Their training rows, (clients,)."""
    judging: Judging
    losses: TrainingLosses
    draw: Callable[[int], Named]
    """Weights, parameters and buffers, drawn as the scenario's are, once more for each number."""

    @property
    def seed(self) -> int:
        """The scenario's seed."""
        return self.scenario.seed


@dataclass
class Instructions:
    """What the clients of a round are sent beside their settings."""

    parameters: ArrayRecord
    """Starting weights for all clients."""
    records: dict[str, Named] = field(default_factory=dict)
    """Further named arrays for all clients, such as a control variate."""
    own: dict[str, Named] = field(default_factory=dict)
    """Further named arrays of each client: (cohort, *shape)."""
    values: Named = field(default_factory=dict)
    """Settings that differ between clients, by dotted key: (cohort,)."""
    known: bool = False
    """Whether every client has a start of its own, so that `parameters` need not be sent."""


@dataclass(frozen=True)
class Adoption:
    """Clients that go on with weights which are not what they trained: what they kept does not go with them."""

    adopters: Indices
    """Their positions."""
    givers: Indices
    """The positions of those whose state is copied for them; negative where they begin anew."""


@dataclass
class Outcome:
    """What a round comes to."""

    parameters: Named
    """The next global weights; those that are left out stay as they are."""
    buffers: Named | None = None
    """The running statistics that go with them; None to find them by the rule of the normalization."""
    metrics: Metrics = field(default_factory=dict)
    """What joins the round's line in metrics.jsonl."""
    ladder: Ladder | None = None
    """How the round's networks ranked, where they competed."""
    adoption: Adoption | None = None
    """Whose kept state goes with no weights any more."""
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What events.jsonl is to say of the round: an event and its details each."""


def outcome_of(weights: Named, parameters: Iterable[str]) -> Outcome:
    """The outcome of aggregating whole networks: `weights` has parameters and, under any other name, buffers."""
    named = set(parameters)
    buffers = {name: array for name, array in weights.items() if name not in named}
    return Outcome({name: array for name, array in weights.items() if name in named}, buffers or None)


class Strategy(ABC):
    """Turns the replies of a round into the next global weights."""

    steps_without_clients: ClassVar[bool] = False
    """Whether a round without clients has an outcome; else the global weights stay as they are."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        self.options, self.surroundings = options, surroundings

    @abstractmethod
    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """What to send to the clients at the positions `cohort`, given the current global model."""

    @abstractmethod
    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The outcome of the blocks' results, which come in block order and have weight."""

    def reported(self, weights: Named) -> Named:
        """The global model that is measured and saved, given the global weights, parameters and buffers."""
        return weights

    def starts(self) -> Starts:
        """The weights that clients, by their positions, go on with in place of what they are sent or have kept."""
        return Starts()

    def candidates(self) -> Named:
        """Models from which each client may choose its own when it is measured: (models, *shape), buffers too."""
        return {}

    def state(self) -> Named:
        """What the strategy carries from round to round, as named arrays."""
        return {}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
