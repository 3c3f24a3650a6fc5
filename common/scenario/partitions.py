"""How the training rows are cut into one shard per client: one class for each `data.partition.scheme`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import Named, Part, key


class IidPartition(Part):
    """Every client gets the same number of rows, drawn at random."""

    scheme: Literal["iid"] = key("Equal random shards.", "iid")
    clients: int = key("How many clients.", 10, unit="clients", ge=1)


class ShardsPartition(Part):
    """Rows sorted by label and cut into pieces; every client gets a few (McMahan et al. 2017, section 3)."""

    scheme: Literal["shards"] = key("Pieces of the rows sorted by label.", "shards")
    clients: int = key("How many clients.", 10, unit="clients", ge=1)
    shards_per_client: int = key("How many pieces each client gets.", 2, unit="pieces", ge=1)


class DirichletPartition(Part):
    """Each label is spread over the clients in proportions drawn from a Dirichlet distribution."""

    scheme: Literal["dirichlet"] = key("Label proportions drawn from Dirichlet(alpha).", "dirichlet")
    clients: int = key("How many clients.", 10, unit="clients", ge=1)
    alpha: float = key("Concentration: small is skewed, large is even.", 0.5, gt=0, unit="none")
    min_rows: int = key(
        "No client gets fewer rows; the draw is repeated up to ten times until that holds.", 1, unit="rows", ge=1
    )
    self_balancing: bool = key("Give no more rows of further labels to clients that have their mean share.", False)


Partition = Annotated[
    IidPartition | ShardsPartition | DirichletPartition, Field(discriminator="scheme"), Named("scheme")
]

PARTITIONS: tuple[type[Part], ...] = (IidPartition, ShardsPartition, DirichletPartition)
