"""Equal random shards."""

from __future__ import annotations

import numpy as np

from common.data.partitions.flower import partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.scenario.partitions import Clients, PartitionPart, clients_key


class IidPartition(PartitionPart, name="iid", runs=":cut"):
    """Every client gets the same number of examples, drawn at random."""

    clients: Clients = clients_key()


_MOST_FOR_FLOWER = 1000
"""Flower's partitioner takes about a millisecond per client; beyond this many the same cut is plain arithmetic."""


def cut(spec: IidPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Contiguous pieces of the shuffled examples, the first few one longer where they do not divide evenly."""
    if spec.clients > _MOST_FOR_FLOWER:
        return even(rows, spec.clients)
    from flwr_datasets.partitioner import IidPartitioner

    return partition_with(IidPartitioner(spec.clients), rows, {})


def even(rows: Indices, clients: int) -> Shards:
    """The same by arithmetic."""
    share, left_over = divmod(len(rows), clients)
    return Shards(rows, np.full(clients, share, dtype=np.int64) + (np.arange(clients) < left_over))
