"""Drawing without replacement, some more likely than others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Indices


def weighted(generator: np.random.Generator, weights: NDArray[np.float64] | Indices, count: int) -> Indices:
    """`count` places in the order in which they are drawn, each time in proportion to the weights that are left.

    By the keys log(u)/w, of which the largest are taken (Efraimidis and Spirakis 2006, algorithm A). Places
    without weight come last.
    """
    with np.errstate(divide="ignore"):
        keys = np.log1p(-generator.random(len(weights))) / weights
    return np.argsort(-keys, kind="stable")[:count]
