"""Label proportions drawn from a Dirichlet distribution (Yurochkin et al. 2019, section 4.1)."""

from __future__ import annotations

from common.data.partitions.flower import labels_of, partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class DirichletPartition(PartitionPart, name="dirichlet", runs=":cut"):
    """Each label is spread over the clients in proportions drawn from a Dirichlet distribution."""

    clients: Clients = clients_key()
    alpha: float = key("Concentration: small is skewed, large is even.", 0.5, gt=0, unit="none")
    min_rows: int = key(
        "No client gets fewer examples; the draw is repeated up to ten times until that holds.",
        1,
        unit="examples",
        ge=1,
    )
    self_balancing: bool = key("Give no more examples of further labels to clients that have their mean share.", False)


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
    return partition_with(partitioner, rows, {"label": labels_of(table, rows, spec.scheme)})
