"""A few labels per client, in log-normal amounts (Li et al. 2020, FedProx, appendix C.1)."""

from __future__ import annotations

import numpy as np

from common import seeds
from common.data.partitions.flower import labels_of, partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart


class DistributionPartition(PartitionPart, name="distribution", runs=":cut"):
    """Every client has a few labels, in amounts that follow a log-normal law (Li et al. 2020, appendix C.1)."""

    clients: Clients = key("How many clients: a multiple of the number of labels.", 10, unit="clients")
    labels_per_client: int = key("How many labels each client has.", 2, unit="labels", ge=1)
    rows_per_label: int = key("Examples of each of its labels that every client gets.", 1, unit="examples", ge=1)
    sigma: float = key(
        "The remaining examples of every label go to the clients that have it in proportion to exp(sigma·normal).",
        2.0,
        unit="none",
        ge=0,
    )


def cut(spec: DistributionPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Each label's remaining examples, in proportion to exp(sigma·z), z standard normal."""
    from flwr_datasets.partitioner import DistributionPartitioner

    labels = labels_of(table, rows, spec.scheme)
    kinds = len(np.unique(labels))
    if spec.clients % kinds:
        raise InputError(f"expected a multiple of the {kinds} labels, got {spec.clients}", "data.partition.clients")
    if spec.labels_per_client > kinds:
        raise InputError(f"at most the {kinds} labels there are", "data.partition.labels_per_client")
    drawn = seeds.generator(seed, "sizes").standard_normal((kinds, spec.labels_per_client * spec.clients // kinds))
    partitioner = DistributionPartitioner(
        np.exp(spec.sigma * (drawn - drawn.max())),
        spec.clients,
        spec.labels_per_client,
        partition_by="label",
        preassigned_num_samples_per_label=spec.rows_per_label,
        seed=seed,
    )
    return partition_with(partitioner, rows, {"label": labels})
