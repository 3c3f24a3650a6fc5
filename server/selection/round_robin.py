"""Clients take turns."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.selection.base import SelectionRule


class RoundRobin(SelectionRule):
    """The next clients of an order drawn once; after the last comes the first."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Those whose turn it is."""
        everyone = len(self.context.clients)
        order = seeds.generator(self.context.seed, "selection").permutation(everyone)
        turns = ((round_number - 1) * self.size + np.arange(self.size)) % everyone
        return np.sort(order[turns])
