"""The partitions: for each `data.partition` a function that partitions the examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.data.prepared import Indices, Shards
from common.data.table import Table

Cut = Callable[[Any, Table, Indices, int], Shards]
"""(spec, table, shuffled examples to share out, seed) → the examples of each client."""
