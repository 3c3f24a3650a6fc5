"""How the training examples are cut into one shard per client: one class for each `data.partition.scheme`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from common.scenario.base import Part, key
from common.scenario.registry import Family

PARTITIONS: Family[PartitionPart] = Family("partitions", "scheme", declared_in="common.data.partitions.*")


class PartitionPart(Part):
    """How training examples are cut into shards."""

    family: ClassVar[Family[PartitionPart]] = PARTITIONS

    scheme: str = ""
    leaves_over: ClassVar[str] = ""
    """Why examples may be left over."""


Clients = Annotated[int, Field(ge=1, le=100_000_000)]


def clients_key() -> int:
    clients: int = key("How many clients.", 10, unit="clients")
    return clients


Partition = Annotated[PartitionPart, PARTITIONS]


def clients_of(partition: Partition) -> int | None:
    """How many clients a partition makes; None where only the data tells."""
    clients: int | None = getattr(partition, "clients", None)
    return clients
