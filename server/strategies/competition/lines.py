"""Networks that go on from round to round: each client's weights, kept by the super node."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from common.arrays import Named
from common.data.prepared import Indices
from server.strategies.base import Surroundings
from server.strategies.competition.contest import Contest, Verdict

_WEIGHTS = "line."


class Lines(ABC):
    """Every client's network; the global weights are those of the round's best."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        self.options, self.surroundings = options, surroundings
        self.weights: Named = {}
        """Each client's weights, (clients, *shape)."""
        self.parents = np.full(len(surroundings.clients), -1)
        """The position of the client whose weights each line holds; -1 for the given ones."""

    def begin(self, given: Named) -> None:
        """Before the first round every line has the given weights."""
        if not self.weights:
            count = len(self.surroundings.clients)
            self.weights = {name: np.repeat(array[None], count, axis=0) for name, array in given.items()}

    def starts(self, cohort: Indices) -> Named:
        """The weights that the clients at the positions `cohort` start from."""
        return {name: array[cohort] for name, array in self.weights.items()}

    def values(self, cohort: Indices) -> Named:
        """Their own settings."""
        return {}

    def decide(self, contest: Contest) -> Verdict:
        """Let networks that lost take others' weights; the best's weights are the global ones."""
        before, settings = self.parents[contest.positions], self.values(contest.positions)
        givers = self.givers(contest)
        for name, array in contest.models.items():
            self.weights[name][contest.positions] = array[givers]
        self.parents[contest.positions] = contest.positions[givers]
        winner = int(contest.ranking[0])
        return Verdict(contest.model(winner), np.eye(len(contest.scores))[winner], before, givers, settings)

    @abstractmethod
    def givers(self, contest: Contest) -> Indices:
        """For each network of the contest, the place of the one whose weights it goes on with; its own to keep them."""

    def state(self) -> Named:
        """Everything, as named arrays."""
        return {"parents": self.parents, **{_WEIGHTS + name: array for name, array in self.weights.items()}}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self.parents = np.array(state["parents"])
        self.weights = {name[len(_WEIGHTS) :]: np.array(a) for name, a in state.items() if name.startswith(_WEIGHTS)}
