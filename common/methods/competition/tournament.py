"""Tournament: networks meet in random pairs, and losers take their winner's weights."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.data.prepared import Indices
from common.methods.competition.contest import Contest
from common.methods.competition.lineages import Lineages


class Tournament(Lineages):
    """Several lines survive a round: one of each pair. Of an odd number one network meets nobody."""

    def givers(self, contest: Contest) -> Indices:
        """The winner of each network's pair; of equals the first of the cohort wins."""
        drawn = seeds.generator(self.context.seed, "tournament", contest.round).permutation(len(contest.scores))
        givers = np.arange(len(contest.scores))
        rank = np.argsort(contest.ranking)
        for one, other in zip(drawn[0::2], drawn[1::2], strict=False):
            givers[[one, other]] = one if rank[one] < rank[other] else other
        return givers
