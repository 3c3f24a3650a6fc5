"""How the training rows are cut into one shard per client: one class for each `data.partition.scheme`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from common.scenario.base import Part, key
from common.scenario.registry import Family

PARTITIONS: Family[PartitionPart] = Family("partitions", "scheme")


class PartitionPart(Part):
    """How training rows are cut into shards."""

    family: ClassVar[Family[PartitionPart]] = PARTITIONS

    scheme: str = ""
    leaves_over: ClassVar[str] = ""
    """Why rows may be left over."""


Clients = Annotated[int, Field(ge=1, le=100_000_000)]


def _clients() -> int:
    clients: int = key("How many clients.", 10, unit="clients")
    return clients


class IidPartition(PartitionPart, name="iid", runs="common.data.partitions.iid:cut"):
    """Every client gets the same number of rows, drawn at random."""

    clients: Clients = _clients()


class SizePartition(PartitionPart, name="size", runs="common.data.partitions.sizes:given"):
    """Random shards of the sizes you give, one per client."""

    leaves_over: ClassVar[str] = "the sizes you give add up to fewer"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = key(
        "Rows of each client; together at most the training rows.", unit="rows", min_length=1, strict=False
    )

    @property
    def clients(self) -> int:
        """One for each size."""
        return len(self.sizes)


class LinearPartition(PartitionPart, name="linear", runs="common.data.partitions.sizes:linear"):
    """Random shards whose sizes grow by the same amount from client to client: 1, 2, 3, …"""

    leaves_over: ClassVar[str] = "rounding"
    clients: Clients = _clients()


class SquarePartition(PartitionPart, name="square", runs="common.data.partitions.sizes:square"):
    """Random shards whose sizes grow with the square of the client's number: 1, 4, 9, …"""

    leaves_over: ClassVar[str] = "rounding"
    clients: Clients = _clients()


class ExponentialPartition(PartitionPart, name="exponential", runs="common.data.partitions.sizes:exponential"):
    """Random shards whose sizes grow exponentially: e, e², e³, …; for a few clients only."""

    leaves_over: ClassVar[str] = "rounding"
    clients: Clients = _clients()


class PowerLawPartition(PartitionPart, name="power_law", runs="common.data.partitions.sizes:power_law"):
    """Random shards whose sizes follow a power law: a few clients have most of the rows."""

    clients: Clients = _clients()
    exponent: float = key("How steep: 0 is even.", 1.0, unit="none", ge=0)
    min_rows: int = key("No client gets fewer rows.", 1, unit="rows", ge=1)


class LogNormalPartition(PartitionPart, name="lognormal", runs="common.data.partitions.sizes:lognormal"):
    """Random shards whose sizes are drawn from a log-normal distribution."""

    clients: Clients = _clients()
    sigma: float = key("How uneven: 0 is even.", 1.0, unit="none", ge=0)
    min_rows: int = key("No client gets fewer rows.", 1, unit="rows", ge=1)


class ShardsPartition(PartitionPart, name="shards", runs="common.data.partitions.shards:cut"):
    """Rows sorted by label and cut into pieces; every client gets a few (McMahan et al. 2017, section 3)."""

    leaves_over: ClassVar[str] = "all pieces are of one size"
    clients: Clients = _clients()
    shards_per_client: int = key("How many pieces each client gets.", 2, unit="pieces", ge=1)


class SimilarityPartition(PartitionPart, name="similarity", runs="common.data.partitions.similarity:cut"):
    """A share of every client's rows is IID, the rest sorted by label (Karimireddy et al. 2020, section 7)."""

    clients: Clients = _clients()
    share: float = key("How much of every client's rows is IID: 0 sorts all, 1 none.", 0.1, unit="fraction", ge=0, le=1)


class PathologicalPartition(PartitionPart, name="pathological", runs="common.data.partitions.pathological:cut"):
    """Every client has rows of a few labels only."""

    leaves_over: ClassVar[str] = "no client has their labels"
    clients: Clients = _clients()
    labels_per_client: int = key("How many labels each client has.", 2, unit="labels", ge=1)
    assignment: Literal["random", "deterministic", "first-deterministic"] = key(
        "Who gets which: drawn; in turn; or the first in turn and the others drawn.", "random"
    )


class DirichletPartition(PartitionPart, name="dirichlet", runs="common.data.partitions.dirichlet:cut"):
    """Each label is spread over the clients in proportions drawn from a Dirichlet distribution."""

    clients: Clients = _clients()
    alpha: float = key("Concentration: small is skewed, large is even.", 0.5, gt=0, unit="none")
    min_rows: int = key(
        "No client gets fewer rows; the draw is repeated up to ten times until that holds.", 1, unit="rows", ge=1
    )
    self_balancing: bool = key("Give no more rows of further labels to clients that have their mean share.", False)


class InnerDirichletPartition(PartitionPart, name="inner_dirichlet", runs="common.data.partitions.inner_dirichlet:cut"):
    """Shards of given sizes (equal by default), each with label proportions of its own from a Dirichlet."""

    leaves_over: ClassVar[str] = "the sizes add up to fewer"
    clients: Clients = _clients()
    alpha: float = key("Concentration: small is skewed, large is even.", 0.5, gt=0, unit="none")
    sizes: tuple[Annotated[int, Field(ge=1)], ...] | None = key(
        "Rows of each client; equal shares if left out.", None, unit="rows", strict=False
    )


class DistributionPartition(PartitionPart, name="distribution", runs="common.data.partitions.distribution:cut"):
    """Every client has a few labels, in amounts that follow a log-normal law (Li et al. 2020, appendix C.1)."""

    clients: Clients = key("How many clients: a multiple of the number of labels.", 10, unit="clients")
    labels_per_client: int = key("How many labels each client has.", 2, unit="labels", ge=1)
    rows_per_label: int = key("Rows of each of its labels that a client gets for sure.", 1, unit="rows", ge=1)
    sigma: float = key(
        "The remaining rows of every label go to the clients that have it in proportion to exp(sigma·normal).",
        2.0,
        unit="none",
        ge=0,
    )


class ContinuousPartition(PartitionPart, name="continuous", runs="common.data.partitions.continuous:cut"):
    """Rows sorted by a number (a regression's target, or a column) and cut, more or less strictly."""

    clients: Clients = _clients()
    by: str = key("The target, or the name of a numeric column.", "target")
    strictness: float = key("1 sorts exactly, 0 not at all.", 0.5, unit="fraction", ge=0, le=1)


class NaturalPartition(PartitionPart, name="natural", runs="common.data.partitions.natural:cut"):
    """Clients as they come: a column's values, the files of a csv source, an archive's `client`, authors."""

    leaves_over: ClassVar[str] = "their groups are smaller than min_rows"
    by: str = key("The name of a categorical or whole-number column; client takes the source's own groups.", "client")
    min_rows: int = key("Groups with fewer rows are left out.", 1, unit="rows", ge=1)


class GroupedNaturalPartition(PartitionPart, name="grouped_natural", runs="common.data.partitions.natural:grouped"):
    """Natural groups, several to a client."""

    leaves_over: ClassVar[str] = "their groups are left over by group_size"
    by: str = key("The name of a categorical or whole-number column; client takes the source's own groups.", "client")
    group_size: int = key("How many groups make a client.", 2, unit="groups", ge=1)
    mode: Literal["allow-smaller", "allow-bigger", "drop-reminder", "strict"] = key(
        "What happens to groups that are left over: a smaller client, a bigger one, dropped, or an error.",
        "allow-smaller",
    )


Partition = Annotated[PartitionPart, PARTITIONS]


def clients_of(partition: Partition) -> int | None:
    """How many clients a partition makes; None where only the data tells."""
    clients: int | None = getattr(partition, "clients", None)
    return clients
