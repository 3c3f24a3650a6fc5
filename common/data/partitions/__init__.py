"""The partitions: `PARTITIONS` maps each `data.partition.scheme` to the function that cuts the rows.

A new partition is one file here, one line in `PARTITIONS` and one class in `common.scenario.partitions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.partitions import dirichlet, iid, shards
from common.data.table import Table

Cut = Callable[[Any, Table, NDArray[np.int64], int], list[NDArray[np.int64]]]
"""(spec, table, shuffled rows to share out, seed) → the rows of each client."""

PARTITIONS: dict[str, Cut] = {
    "iid": iid.cut,
    "shards": shards.cut,
    "dirichlet": dirichlet.cut,
}
