"""The more training rows, the likelier."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.selection.base import SelectionRule
from server.selection.draws import weighted


class BySize(SelectionRule):
    """Clients drawn one after the other, each in proportion to its training rows."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        return np.sort(weighted(draw, self.context.sizes, self.size))
