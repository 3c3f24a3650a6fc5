"""Examples sorted, more or less strictly, by a number."""

from __future__ import annotations

from common.data.partitions.columns import numbers
from common.data.partitions.flower import partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class ContinuousPartition(PartitionPart, name="continuous", runs=":cut"):
    """Examples sorted by a number (a regression's target, or a column) and cut, more or less strictly."""

    clients: Clients = clients_key()
    by: str = key("The target, or the name of a numeric column.", "target")
    strictness: float = key("1 sorts exactly, 0 not at all.", 0.5, unit="fraction", ge=0, le=1)


def cut(spec: ContinuousPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Equal pieces of the examples sorted by strictness·value + (1 − strictness)·noise, both standardized."""
    from flwr_datasets.partitioner import ContinuousPartitioner

    values = numbers(table, rows, spec.by)
    partitioner = ContinuousPartitioner(spec.clients, partition_by="by", strictness=spec.strictness, seed=seed)
    return partition_with(partitioner, rows, {"by": values})
