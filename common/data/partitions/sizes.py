"""Random shards of unequal sizes: quantity skew."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from common import seeds
from common.data.partitions.flower import partition_with
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class SizePartition(PartitionPart, name="size", runs=":given"):
    """Random shards of the sizes you give, one per client."""

    leaves_over: ClassVar[str] = "the sizes you give add up to fewer"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = key(
        "Examples of each client; together at most the training examples.", unit="examples", min_length=1, strict=False
    )

    @property
    def clients(self) -> int:
        """One for each size."""
        return len(self.sizes)


class LinearPartition(PartitionPart, name="linear", runs=":linear"):
    """Random shards whose sizes grow by the same amount from client to client: 1, 2, 3, …"""

    leaves_over: ClassVar[str] = "rounding"
    clients: Clients = clients_key()


class SquarePartition(PartitionPart, name="square", runs=":square"):
    """Random shards whose sizes grow with the square of the client's number: 1, 4, 9, …"""

    leaves_over: ClassVar[str] = "rounding"
    clients: Clients = clients_key()


class ExponentialPartition(PartitionPart, name="exponential", runs=":exponential"):
    """Random shards whose sizes grow exponentially: e, e², e³, …; for a few clients only."""

    leaves_over: ClassVar[str] = "rounding"
    clients: Clients = clients_key()


class PowerLawPartition(PartitionPart, name="power_law", runs=":power_law"):
    """Random shards whose sizes follow a power law: a few clients have most of the examples."""

    clients: Clients = clients_key()
    exponent: float = key("How steep: 0 is even.", 1.0, unit="none", ge=0)
    min_rows: int = key("No client gets fewer examples.", 1, unit="examples", ge=1)


class LogNormalPartition(PartitionPart, name="lognormal", runs=":lognormal"):
    """Random shards whose sizes are drawn from a log-normal distribution."""

    clients: Clients = clients_key()
    sigma: float = key("How uneven: 0 is even.", 1.0, unit="none", ge=0)
    min_rows: int = key("No client gets fewer examples.", 1, unit="examples", ge=1)


def given(options: SizePartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Shards of the given sizes; examples beyond them are not used."""
    from flwr_datasets.partitioner import SizePartitioner

    if sum(options.sizes) > len(rows):
        raise InputError(f"{sum(options.sizes)} examples, but only {len(rows)} to train on", "data.partition.sizes")
    return partition_with(SizePartitioner(list(options.sizes)), rows, {})


def linear(options: LinearPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to 1, 2, 3, …"""
    from flwr_datasets.partitioner import LinearPartitioner

    return partition_with(LinearPartitioner(options.clients), rows, {})


def square(options: SquarePartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to 1, 4, 9, …"""
    from flwr_datasets.partitioner import SquarePartitioner

    return partition_with(SquarePartitioner(options.clients), rows, {})


def exponential(options: ExponentialPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to e, e², e³, …"""
    from flwr_datasets.partitioner import ExponentialPartitioner

    return partition_with(ExponentialPartitioner(options.clients), rows, {})


def power_law(options: PowerLawPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to 1/rank^exponent; ranks are dealt to clients at random."""
    ranks = seeds.generator(seed, "sizes").permutation(options.clients) + 1.0
    return _in_proportion(rows, ranks**-options.exponent, options.min_rows)


def lognormal(options: LogNormalPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to exp(sigma·z), z standard normal."""
    drawn = seeds.generator(seed, "sizes").standard_normal(options.clients)
    # Divided by the largest, which changes no proportion: no power of e is too large.
    return _in_proportion(rows, np.exp(options.sigma * (drawn - drawn.max())), options.min_rows)


def _in_proportion(rows: Indices, weights: NDArray[np.floating], least: int) -> Shards:
    """All examples in shards; sizes beyond `least` are in proportion to `weights`, rounded by largest remainder."""
    spare = len(rows) - least * len(weights)
    if spare < 0:
        raise InputError(
            f"{len(weights)} clients with {least} examples each, but only {len(rows)} examples", "data.partition"
        )
    exact = spare * weights / weights.sum()
    sizes = np.floor(exact).astype(np.int64)
    remainders = np.argsort(sizes - exact, kind="stable")
    sizes[remainders[: spare - int(sizes.sum())]] += 1
    return Shards(rows, sizes + least)
