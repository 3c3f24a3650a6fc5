"""Clients as the data has them."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from common.data.partitions.columns import groups
from common.data.partitions.flower import partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import key
from common.scenario.partitions import PartitionPart


class NaturalPartition(PartitionPart, name="natural", runs=":cut"):
    """Clients as they come: a column's values, the files of a csv source, an archive's `client`, authors."""

    leaves_over: ClassVar[str] = "their groups are smaller than min_rows"
    by: str = key("The name of a categorical or whole-number column; client takes the source's own groups.", "client")
    min_rows: int = key("Groups with fewer examples are left out.", 1, unit="examples", ge=1)


class GroupedNaturalPartition(PartitionPart, name="grouped_natural", runs=":grouped"):
    """Natural groups, several to a client."""

    leaves_over: ClassVar[str] = "their groups are left over by group_size"
    by: str = key("The name of a categorical or whole-number column; client takes the source's own groups.", "client")
    group_size: int = key("How many groups make a client.", 2, unit="groups", ge=1)
    mode: Literal["allow-smaller", "allow-bigger", "drop-reminder", "strict"] = key(
        "What happens to groups that are left over: a smaller client, a bigger one, dropped, or an error.",
        "allow-smaller",
    )


_MOST_FOR_FLOWER = 10_000
"""Flower's partitioner takes about a millisecond per client; beyond this many the same cut is a sort."""


def cut(spec: NaturalPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """One client per group, in the order of the groups' names; groups with too few examples are left out."""
    codes, names = groups(table, rows, spec.by)
    sizes = np.bincount(codes, minlength=len(names))
    kept = np.flatnonzero(sizes >= spec.min_rows)
    if not len(kept):
        raise InputError(f"no group has {spec.min_rows} examples", "data.partition.min_rows")
    if len(kept) > _MOST_FOR_FLOWER or len(kept) < len(names):
        order = np.argsort(codes, kind="stable")
        order = order[np.isin(codes[order], kept)]
        return Shards(rows[order], sizes[kept])
    from flwr_datasets.partitioner import NaturalIdPartitioner

    # Flower numbers the groups in the order in which they come; sorted rows give the order of the names.
    order = np.argsort(codes, kind="stable")
    return partition_with(NaturalIdPartitioner(partition_by="group"), rows[order], {"group": codes[order]})


def grouped(spec: GroupedNaturalPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Several groups per client."""
    from flwr_datasets.partitioner import GroupedNaturalIdPartitioner

    codes, _ = groups(table, rows, spec.by)
    mode: Literal["allow-smaller", "allow-bigger", "drop-reminder", "strict"] = spec.mode
    partitioner = GroupedNaturalIdPartitioner("group", spec.group_size, mode=mode, sort_unique_ids=True)
    return partition_with(partitioner, rows, {"group": codes})


def client_names(table: Table, rows: Indices, by: str, min_rows: int) -> list[str]:
    """The names of the clients that `cut` makes, in their order."""
    codes, names = groups(table, rows, by)
    sizes = np.bincount(codes, minlength=len(names))
    return [name for name, size in zip(names, sizes, strict=True) if size >= min_rows]
