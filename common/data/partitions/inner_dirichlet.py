"""Shards of given sizes, each with label proportions of its own from a Dirichlet (Acar et al. 2021)."""

from __future__ import annotations

from common.data.partitions.flower import labels_of, shared_out
from common.data.partitions.iid import even
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.partitions import InnerDirichletPartition


def cut(spec: InnerDirichletPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """For each client, proportions over the labels from Dirichlet(alpha, …, alpha), as long as rows last."""
    from flwr_datasets.partitioner import InnerDirichletPartitioner

    sizes = list(spec.sizes) if spec.sizes is not None else even(rows, spec.clients).sizes.tolist()
    if len(sizes) != spec.clients:
        raise InputError(f"expected {spec.clients} sizes, one per client, got {len(sizes)}", "data.partition.sizes")
    if sum(sizes) > len(rows):
        raise InputError(f"{sum(sizes)} rows, but only {len(rows)} to train on", "data.partition.sizes")
    partitioner = InnerDirichletPartitioner(sizes, partition_by="label", alpha=spec.alpha, seed=seed)
    return shared_out(partitioner, rows, {"label": labels_of(table, rows, spec.scheme)})
