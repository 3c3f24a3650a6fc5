"""What happens in a run: events, and the one way by which they reach those who observe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    # What only describes a run needs neither Flower nor PyTorch.
    from common.data.data_spec import DataSpec
    from common.data.prepared import Indices
    from common.extend.leaderboard import Leaderboard
    from common.models.predictor import Predictor


@dataclass(frozen=True)
class RunOpened:
    """The run's folder is there, empty unless the run is resumed."""

    folder: Path


@dataclass(frozen=True)
class RunStarted:
    """The nodes have said who their clients are, and what a model is to learn of is agreed; round 0 is next."""

    rounds: int
    clients: Indices
    """The clients' ids, ascending."""
    training_sizes: Indices
    """Their training examples, (clients,)."""
    holdout_sizes: Indices
    """Their held-out examples, (clients,)."""
    parameters: int
    """How many the model has."""
    data_spec: DataSpec
    facts: dict[str, str]
    """What the scenario left to be chosen, by name, as it was chosen."""


@dataclass(frozen=True)
class RoundStarted:
    """These clients are about to train."""

    round: int
    clients: Indices
    """Their ids."""


@dataclass(frozen=True)
class WorkerEvent:
    """What a worker takes up or, once `seconds` are known, has done."""

    worker: int
    """Its number, counted from 0; one that takes a dead one's place has the dead one's."""
    kind: str
    """The message's type: train, evaluate, query.…"""
    clients: int
    seconds: float | None = None


@dataclass(frozen=True)
class RoundReport:
    """A round, client by client, and network by network where networks competed; before it is saved."""

    round: int
    clients: Indices
    """The ids of the clients whose training counts, in cohort order."""
    train_loss: NDArray[np.float64]
    """Their mean losses in training, (clients,)."""
    holders: Indices
    """The ids of the clients that were measured on their held-out examples; none where the round was not."""
    holdout: dict[str, NDArray[np.float64]]
    """The global model's metrics on each holder's examples, each of shape (holders,)."""
    personal: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Those of each holder's own model, where clients come to models of their own."""
    leaderboard: Leaderboard | None = None
    """How networks ranked, where they competed."""
    samples: dict[str, Any] | None = None
    """What a generative model makes after the round, where that is to be shown: `samples`, and `sample_labels`."""


@dataclass(frozen=True)
class Notice:
    """Something worth keeping: a retry, an exclusion, a checkpoint, a warning. A line of events.jsonl."""

    name: str
    round: int
    details: dict[str, Any]


Event = RunOpened | RunStarted | RoundStarted | WorkerEvent | RoundReport | Notice


class Events:
    """Passes on what happens, with the number of the round in which it does."""

    def __init__(self, listen: Callable[[Event], None] = lambda event: None) -> None:
        self.listen, self.round = listen, 0

    def notice(self, name: str, /, **details: Any) -> None:
        """Pass on something worth keeping."""
        self.listen(Notice(name, self.round, details))


class Observer:
    """Told of a run's steps as they happen, in the server's thread; it listens to what it overrides."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_round_end(self, metrics: dict[str, Any]) -> None:
        """A round is over and saved; `metrics` is its line in metrics.jsonl."""

    def on_end(self, model: Predictor) -> None:
        """The last round is over; `model` is the final global model, taking raw examples."""
