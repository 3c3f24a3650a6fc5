"""A fixed number of labels per client (McMahan et al. 2017; Li et al. 2022, quantity-based label skew)."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.data.partitions.flower import labels_of, partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class PathologicalPartition(PartitionPart, name="pathological", runs=":cut"):
    """Every client has examples of a few labels only."""

    leaves_over: ClassVar[str] = "no client has their labels"
    clients: Clients = clients_key()
    labels_per_client: int = key("How many labels each client has.", 2, unit="labels", ge=1)
    assignment: Literal["random", "deterministic", "first-deterministic"] = key(
        "Who gets which: drawn; in turn; or the first in turn and the others drawn.", "random"
    )


def cut(spec: PathologicalPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Every label's examples in equal parts to the clients that have it."""
    from flwr_datasets.partitioner import PathologicalPartitioner

    labels = labels_of(table, rows, spec.scheme)
    if spec.labels_per_client > len(table.labels):
        raise InputError(f"at most the {len(table.labels)} labels there are", "data.partition.labels_per_client")
    partitioner = PathologicalPartitioner(
        spec.clients,
        partition_by="label",
        num_classes_per_partition=spec.labels_per_client,
        class_assignment_mode=spec.assignment,
        seed=seed,
    )
    return partition_with(partitioner, rows, {"label": labels})
