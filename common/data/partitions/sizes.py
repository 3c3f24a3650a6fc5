"""Random shards of unequal sizes: quantity skew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.data.partitions.flower import shared_out
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario import partitions as spec


def given(options: spec.SizePartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Shards of the given sizes; rows beyond them are not used."""
    from flwr_datasets.partitioner import SizePartitioner

    if sum(options.sizes) > len(rows):
        raise InputError(f"{sum(options.sizes)} rows, but only {len(rows)} to train on", "data.partition.sizes")
    return shared_out(SizePartitioner(list(options.sizes)), rows, {})


def linear(options: spec.LinearPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to 1, 2, 3, …"""
    from flwr_datasets.partitioner import LinearPartitioner

    return shared_out(LinearPartitioner(options.clients), rows, {})


def square(options: spec.SquarePartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to 1, 4, 9, …"""
    from flwr_datasets.partitioner import SquarePartitioner

    return shared_out(SquarePartitioner(options.clients), rows, {})


def exponential(options: spec.ExponentialPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to e, e², e³, …"""
    from flwr_datasets.partitioner import ExponentialPartitioner

    return shared_out(ExponentialPartitioner(options.clients), rows, {})


def power_law(options: spec.PowerLawPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to 1/rank^exponent; ranks are dealt to clients at random."""
    ranks = seeds.generator(seed, "sizes").permutation(options.clients) + 1.0
    return _in_proportion(rows, ranks**-options.exponent, options.min_rows)


def lognormal(options: spec.LogNormalPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """Sizes in proportion to exp(sigma·z), z standard normal."""
    drawn = seeds.generator(seed, "sizes").standard_normal(options.clients)
    # Divided by the largest, which changes no proportion: no power of e is too large.
    return _in_proportion(rows, np.exp(options.sigma * (drawn - drawn.max())), options.min_rows)


def _in_proportion(rows: Indices, weights: NDArray[np.floating], least: int) -> Shards:
    """All rows in shards whose sizes beyond `least` are in proportion to `weights`, rounded by largest remainder."""
    spare = len(rows) - least * len(weights)
    if spare < 0:
        raise InputError(f"{len(weights)} clients with {least} rows each, but only {len(rows)} rows", "data.partition")
    exact = spare * weights / weights.sum()
    sizes = np.floor(exact).astype(np.int64)
    remainders = np.argsort(sizes - exact, kind="stable")
    sizes[remainders[: spare - int(sizes.sum())]] += 1
    return Shards(rows, sizes + least)
