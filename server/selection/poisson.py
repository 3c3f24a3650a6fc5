"""Each client takes part with the same probability, whatever the others do."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.selection.base import SelectionRule


class Poisson(SelectionRule):
    """Poisson sampling: a cohort of any size, none at all among them."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        return np.flatnonzero(draw.random(len(self.context.clients)) < self.options.rate)
