"""Rows sorted, more or less strictly, by a number."""

from __future__ import annotations

from common.data.partitions.columns import numbers
from common.data.partitions.flower import shared_out
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.scenario.partitions import ContinuousPartition


def cut(spec: ContinuousPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Equal pieces of the rows sorted by strictness·value + (1 − strictness)·noise, both standardized."""
    from flwr_datasets.partitioner import ContinuousPartitioner

    values = numbers(table, rows, spec.by)
    partitioner = ContinuousPartitioner(spec.clients, partition_by="by", strictness=spec.strictness, seed=seed)
    return shared_out(partitioner, rows, {"by": values})
