"""Label proportions drawn from a Dirichlet distribution (Yurochkin et al. 2019, section 4.1)."""

from __future__ import annotations

from common.data.partitions.flower import labels_of, shared_out
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.scenario.partitions import DirichletPartition


def cut(spec: DirichletPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """For each label, proportions over the clients from Dirichlet(alpha, …, alpha)."""
    from flwr_datasets.partitioner import DirichletPartitioner

    partitioner = DirichletPartitioner(
        spec.clients,
        partition_by="label",
        alpha=spec.alpha,
        min_partition_size=spec.min_rows,
        self_balancing=spec.self_balancing,
        seed=seed,
    )
    return shared_out(partitioner, rows, {"label": labels_of(table, rows, spec.scheme)})
