"""Networks that continue from round to round, each at its client; who continues with another's is sent it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.extend.strategy import Strategy, under_prefix, with_prefix
from common.messages import InitialWeights
from common.methods.competition.contest import CompetitionResult, Contest

_PARENTS, _GIVEN, _ADOPTERS, _ADOPTED = "parents", "given.", "adopters", "adopted."


class Lineages(ABC):
    """Every client's network; the global weights are those of the round's best.

    In the strategy's state are `parents`, the position of the client whose weights each line holds (−1 for the given
    ones), `given.NAME`, what a line starts from before its client has taken part, and, in `adopters` and
    `adopted.NAME`, the networks that clients go on with in place of their own, until they have trained them.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.options, self.context, self.strategy = strategy.options, strategy.context, strategy
        nobody = np.empty(0, np.int64)
        strategy.state |= {_PARENTS: np.full(len(self.context.clients), -1), _ADOPTERS: nobody}

    @property
    def given(self) -> NamedArrays:
        """What a line starts from before its client has taken part, parameters and buffers."""
        return under_prefix(_GIVEN, self.strategy.state)

    @property
    def adopted(self) -> InitialWeights:
        """The networks that clients continue with in place of their own."""
        state = self.strategy.state
        return InitialWeights(state[_ADOPTERS], under_prefix(_ADOPTED, state))

    def begin(self, given: NamedArrays) -> None:
        """Before the first round every line has the given weights."""
        if not self.given:
            self.strategy.state |= with_prefix(_GIVEN, given)

    def values(self, cohort: Indices) -> NamedArrays:
        """The own settings of the clients at the positions `cohort`."""
        return {}

    def decide(self, contest: Contest) -> CompetitionResult:
        """Let networks that lost take others' weights; the best's weights are the global ones."""
        parents, settings = self.strategy.state[_PARENTS].copy(), self.values(contest.positions)
        before = parents[contest.positions]
        givers = self.givers(contest)
        self._adopt(contest, givers)
        parents[contest.positions] = contest.positions[givers]
        self.strategy.state |= {_PARENTS: parents}
        winner = int(contest.ranking[0])
        return CompetitionResult(contest.model(winner), np.eye(len(contest.scores))[winner], before, givers, settings)

    @abstractmethod
    def givers(self, contest: Contest) -> Indices:
        """For each network of the contest, the place of the one whose weights it takes over; its own to keep them."""

    def _adopt(self, contest: Contest, givers: Indices) -> None:
        """Those who took part have trained what they were sent; some of them are to continue with another's."""
        adopted = self.adopted
        waiting = ~np.isin(adopted.places, contest.positions)
        taking = np.flatnonzero(givers != np.arange(len(givers)))
        places = np.concatenate([adopted.places[waiting], contest.positions[taking]])
        order = np.argsort(places)
        taken = {name: array[givers[taking]] for name, array in contest.models.items()}
        weights = {
            name: np.concatenate([adopted.weights[name][waiting], array]) if waiting.any() else array
            for name, array in taken.items()
        }
        sorted_weights = {name: array[order] for name, array in weights.items()}
        others = {name: array for name, array in self.strategy.state.items() if not name.startswith(_ADOPTED)}
        self.strategy.state = others | {_ADOPTERS: places[order]} | with_prefix(_ADOPTED, sorted_weights)
