"""The partitions: `PARTITIONS` maps each `data.partition.scheme` to the function that cuts the rows.

A new partition is one file here, one line in `PARTITIONS` and one class in `common.scenario.partitions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.data.partitions import (
    continuous,
    dirichlet,
    distribution,
    iid,
    inner_dirichlet,
    natural,
    pathological,
    shards,
    similarity,
    sizes,
)
from common.data.prepared import Indices, Shards
from common.data.table import Table

Cut = Callable[[Any, Table, Indices, int], Shards]
"""(spec, table, shuffled rows to share out, seed) → the rows of each client."""

PARTITIONS: dict[str, Cut] = {
    "iid": iid.cut,
    "size": sizes.given,
    "linear": sizes.linear,
    "square": sizes.square,
    "exponential": sizes.exponential,
    "power_law": sizes.power_law,
    "lognormal": sizes.lognormal,
    "shards": shards.cut,
    "similarity": similarity.cut,
    "pathological": pathological.cut,
    "dirichlet": dirichlet.cut,
    "inner_dirichlet": inner_dirichlet.cut,
    "distribution": distribution.cut,
    "continuous": continuous.cut,
    "natural": natural.cut,
    "grouped_natural": natural.grouped,
}
