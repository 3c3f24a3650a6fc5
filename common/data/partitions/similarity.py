"""A share of every client's examples IID, the rest sorted by label (Karimireddy et al. 2020, SCAFFOLD, section 7)."""

from __future__ import annotations

import numpy as np

from common.data.partitions.flower import labels_of
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class SimilarityPartition(PartitionPart, name="similarity", runs=":cut"):
    """A share of every client's examples is IID, the rest sorted by label (Karimireddy et al. 2020, section 7)."""

    clients: Clients = clients_key()
    share: float = key(
        "How much of every client's examples is IID: 0 sorts all, 1 none.", 0.1, unit="fraction", ge=0, le=1
    )


def cut(spec: SimilarityPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """The first of the shuffled examples are cut into even pieces; so are the others, sorted by label."""
    labels = labels_of(table, rows, spec.scheme)
    alike = round(spec.share * len(rows))
    rest = rows[alike:][np.argsort(labels[alike:], kind="stable")]
    # Whoever is short of a row of the one part gets one more of the other.
    pieces = zip(np.array_split(rows[:alike], spec.clients), reversed(np.array_split(rest, spec.clients)), strict=True)
    return Shards.of([np.concatenate(pair) for pair in pieces])
