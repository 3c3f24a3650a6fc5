"""From a scenario's `data:` to a folder of prepared data, made once and cached by content and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.data.cache import made_once
from common.data.partitions import PARTITIONS
from common.data.prepared import Indices, Meta, Prepared, Scaling, write_shards
from common.data.sources import SOURCES
from common.data.table import Table, load_table, save_table
from common.errors import InputError
from common.scenario import Scenario
from common.scenario.data import Data

_FORMAT = 1


def prepare(scenario: Scenario) -> Prepared:
    """The scenario's data, from the cache where the same was prepared before.

    Raises InputError where the source cannot be read or the scenario's cut of it is impossible.
    """
    data = scenario.data
    source = SOURCES[data.source.kind]
    content = f"{_FORMAT} {data.source.model_dump(exclude={'path'})} {source.fingerprint(data.source)}"
    rows = made_once("rows", content, lambda folder: save_table(folder, source.read(data.source)))
    cut = f"{content} {scenario.seed} {data.model_dump(exclude={'source'})}"
    return Prepared(made_once("shards", cut, lambda folder: _cut(folder, rows, data, scenario.seed)))


def _cut(folder: Path, rows: Path, data: Data, seed: int) -> None:
    table = load_table(rows)
    meta = Meta(
        task=table.task,
        labels=table.labels,
        row_shape=list(table.row_shape),
        targets=0 if table.task == "classification" else table.y.shape[1],
        columns=table.columns,
        scaling=_scaling(table, data),
        rows_folder=f"../../rows/{rows.name}",
    )
    training, test, validation = _split(table, data, seed)
    shards = PARTITIONS[data.partition.scheme](data.partition, table, training, seeds.key(seed, "partition") % 2**32)
    empty = sum(len(shard) == 0 for shard in shards)
    if empty:
        raise InputError(
            f"{empty} of {len(shards)} clients would get no row of the {len(training)} training rows; "
            "use fewer clients or a less skewed partition",
            "data.partition",
        )
    pairs = [_hold_out(shard, data.client_holdout, seed, client) for client, shard in enumerate(shards)]
    clients = np.arange(len(shards), dtype=np.int64)
    write_shards(folder, meta, clients, [pair[0] for pair in pairs], [pair[1] for pair in pairs], test, validation)


def _split(table: Table, data: Data, seed: int) -> tuple[Indices, Indices, Indices]:
    """The shuffled training rows, the test rows and the validation rows."""
    own = len(table.x) - table.tests
    if table.tests and data.test_fraction:
        raise InputError(f"the source has {table.tests} test rows of its own; leave this out", "data.test_fraction")
    order = seeds.generator(seed, "split").permutation(own)
    tests = round(own * data.test_fraction)
    validations = round((own - tests) * data.validation_fraction)
    test = np.arange(own, len(table.x)) if table.tests else np.sort(order[:tests])
    training = order[tests + validations :]
    clients = data.partition.clients
    if len(training) < clients:
        raise InputError(f"{clients} clients, but only {len(training)} rows to train on", "data.partition.clients")
    return training, test, np.sort(order[tests : tests + validations])


def _hold_out(shard: Indices, fraction: float, seed: int, client: int) -> tuple[Indices, Indices]:
    """A client's training rows and held-out rows, each ascending; at least one row is trained on."""
    held = min(round(len(shard) * fraction), len(shard) - 1)
    order: NDArray[np.int64] = seeds.generator(seed, "holdout", client).permutation(shard)
    return np.sort(order[held:]), np.sort(order[:held])


def _scaling(table: Table, data: Data) -> Scaling:
    if data.scale != "auto":
        return data.scale
    if table.tabular:
        return "standardize"
    return "bytes" if table.x.dtype == np.uint8 else "none"
