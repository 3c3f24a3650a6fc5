"""Of some candidates, those that lose most (Cho, Wang, Joshi 2022, *Towards understanding biased client selection*)."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.selection.base import SelectionRule
from server.selection.draws import weighted


class PowerOfChoice(SelectionRule):
    """π_pow-d of section 4: d candidates drawn by size, asked for their loss; the cohort are those with the highest.

    Equal losses go in the order of the draw. Candidates that do not answer come last.
    """

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Draw, ask, choose."""
        wanted = self.options.candidates or 2 * self.size
        number = min(max(wanted, self.size), len(self.context.clients))
        draw = seeds.generator(self.context.seed, "selection", round_number)
        candidates = weighted(draw, self.context.sizes, number)
        ascending = np.sort(candidates)
        losses = self.context.losses(weights, ascending).mean[np.searchsorted(ascending, candidates)]
        return np.sort(candidates[np.argsort(-np.nan_to_num(losses, nan=-np.inf), kind="stable")][: self.size])
