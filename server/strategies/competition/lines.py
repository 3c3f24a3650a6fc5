"""Networks that go on from round to round, each at its client; who goes on with another's is sent it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from common.arrays import Named
from common.data.prepared import Indices
from common.messages import Starts
from server.strategies.base import Surroundings
from server.strategies.competition.contest import Contest, Verdict

_GIVEN, _ADOPTED = "given.", "adopted."


class Lines(ABC):
    """Every client's network; the global weights are those of the round's best."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        self.options, self.surroundings = options, surroundings
        self.given: Named = {}
        """What a line starts from before its client has taken part, parameters and buffers."""
        self.adopted = Starts()
        """The networks that clients go on with in place of their own, until they have trained them."""
        self.parents = np.full(len(surroundings.clients), -1)
        """The position of the client whose weights each line holds; -1 for the given ones."""

    def begin(self, given: Named) -> None:
        """Before the first round every line has the given weights."""
        self.given = self.given or given

    def values(self, cohort: Indices) -> Named:
        """The own settings of the clients at the positions `cohort`."""
        return {}

    def decide(self, contest: Contest) -> Verdict:
        """Let networks that lost take others' weights; the best's weights are the global ones."""
        before, settings = self.parents[contest.positions], self.values(contest.positions)
        givers = self.givers(contest)
        self._adopt(contest, givers)
        self.parents[contest.positions] = contest.positions[givers]
        winner = int(contest.ranking[0])
        return Verdict(contest.model(winner), np.eye(len(contest.scores))[winner], before, givers, settings)

    @abstractmethod
    def givers(self, contest: Contest) -> Indices:
        """For each network of the contest, the place of the one whose weights it goes on with; its own to keep them."""

    def _adopt(self, contest: Contest, givers: Indices) -> None:
        """Those who took part have trained what they were sent; some of them are to go on with another's."""
        waiting = ~np.isin(self.adopted.places, contest.positions)
        taking = np.flatnonzero(givers != np.arange(len(givers)))
        places = np.concatenate([self.adopted.places[waiting], contest.positions[taking]])
        order = np.argsort(places)
        taken = {name: array[givers[taking]] for name, array in contest.models.items()}
        weights = {
            name: np.concatenate([self.adopted.weights[name][waiting], array]) if waiting.any() else array
            for name, array in taken.items()
        }
        self.adopted = Starts(places[order], {name: array[order] for name, array in weights.items()})

    def state(self) -> Named:
        """Everything, as named arrays."""
        given = {_GIVEN + name: array for name, array in self.given.items()}
        adopted = {_ADOPTED + name: array for name, array in self.adopted.weights.items()}
        return {"parents": self.parents, "adopters": self.adopted.places, **given, **adopted}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self.parents = np.array(state["parents"])
        self.given = named(state, _GIVEN)
        self.adopted = Starts(np.array(state["adopters"]), named(state, _ADOPTED))


def named(state: Named, prefix: str) -> Named:
    """The arrays of a state whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): np.array(array) for name, array in state.items() if name.startswith(prefix)}
