"""Who takes part in a round: drawn from the seed and the round alone, never from node ids or arrival."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.data.prepared import Indices


def select(seed: int, round_number: int, clients: int, cohort: int) -> Indices:
    """The positions, ascending, of `cohort` of `clients` clients drawn uniformly without replacement."""
    chosen = seeds.generator(seed, "selection", round_number).choice(clients, cohort, replace=False, shuffle=False)
    return np.sort(chosen).astype(np.int64)
