"""Labels permuted by cluster: what one cluster calls a 3, another calls a 7."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.data.skews.owned import Owned
from common.errors import InputError
from common.scenario.skews import LabelSkew


def change(spec: LabelSkew, rows: Owned, draw: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels by the permutation of the client's cluster; the first cluster keeps the true ones."""
    if rows.table.task != "classification":
        raise InputError("label_permutation is for labels, and this is a regression", "data.skew")
    cluster = rows.client % spec.clusters
    if cluster == 0:
        return rows.x, rows.y
    permutation = seeds.generator(rows.seed, "concept", cluster).permutation(len(rows.table.labels))
    return rows.x, permutation[rows.y]
