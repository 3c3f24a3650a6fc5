"""Every client is as likely as any other."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.selection.base import SelectionRule


def select(seed: int, round_number: int, clients: int, cohort: int) -> Indices:
    """The positions, ascending, of `cohort` of `clients` clients drawn uniformly without replacement."""
    chosen = seeds.generator(seed, "selection", round_number).choice(clients, cohort, replace=False, shuffle=False)
    return np.sort(chosen).astype(np.int64)


class Uniform(SelectionRule):
    """A cohort of clients drawn uniformly without replacement."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        context = self.context
        return select(context.seed, round_number, len(context.clients), self.size)
