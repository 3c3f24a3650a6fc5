"""Pieces of the examples sorted by label, a few for each client (McMahan et al. 2017, section 3)."""

from __future__ import annotations

from typing import ClassVar

from common.data.partitions.flower import labels_of, partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class ShardsPartition(PartitionPart, name="shards", runs=":cut"):
    """Examples sorted by label and cut into pieces; every client gets a few (McMahan et al. 2017, section 3)."""

    leaves_over: ClassVar[str] = "all pieces are of one size"
    clients: Clients = clients_key()
    shards_per_client: int = key("How many pieces each client gets.", 2, unit="pieces", ge=1)


def cut(spec: ShardsPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """`shards_per_client` pieces of equal size for each client; examples left over by rounding are not used."""
    from flwr_datasets.partitioner import ShardPartitioner

    pieces = spec.clients * spec.shards_per_client
    if pieces > len(rows):
        raise InputError(
            f"{pieces} pieces, but only {len(rows)} examples to train on; use fewer clients or fewer shards_per_client",
            "data.partition.clients",
        )
    partitioner = ShardPartitioner(
        spec.clients, partition_by="label", num_shards_per_partition=spec.shards_per_client, seed=seed
    )
    return partition_with(partitioner, rows, {"label": labels_of(table, rows, spec.scheme)})
