"""Pieces of the rows sorted by label, a few for each client (McMahan et al. 2017, section 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.partitions.flower import labels_of, shared_out
from common.data.table import Table
from common.scenario.partitions import ShardsPartition


def cut(spec: ShardsPartition, table: Table, rows: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """`shards_per_client` pieces of equal size for each client; rows left over by rounding are not used."""
    from flwr_datasets.partitioner import ShardPartitioner

    partitioner = ShardPartitioner(
        spec.clients, partition_by="label", num_shards_per_partition=spec.shards_per_client, seed=seed
    )
    return shared_out(partitioner, rows, {"label": labels_of(table, rows, spec.scheme)})
