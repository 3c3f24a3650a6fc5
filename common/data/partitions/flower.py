"""Flower Datasets' partitioners, given examples and labels, giving examples back."""

from __future__ import annotations

import warnings
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError


def partition_with(partitioner: Any, rows: Indices, columns: dict[str, NDArray[Any]]) -> Shards:
    """The examples of each client, as a partitioner of flwr_datasets cuts them.

    `columns` holds what the partitioner looks at, an entry per row. Raises InputError with the partitioner's
    own words where it finds no cut.
    """
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    partitioner.dataset = Dataset.from_dict({"position": np.arange(len(rows)), **columns})
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            # NaturalIdPartitioner draws a progress bar of its own.
            # A repeated draw is announced by a warning each; what counts is whether one succeeded.
            warnings.simplefilter("ignore")
            # All of a client's examples at once: a column by itself is gone through row by row, in Python.
            parts = [
                partitioner.load_partition(client).with_format("arrow")[:]["position"].to_numpy()
                for client in range(partitioner.num_partitions)
            ]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise InputError(
            f"cannot partition {len(rows)} examples: {error} Try fewer clients or less skew.", "data.partition"
        ) from None
    return Shards.of([rows[part] for part in parts])


def labels_of(table: Table, rows: Indices, scheme: str) -> Indices:
    """The label codes of the examples; raises InputError for a regression, which has none."""
    if table.task != "classification":
        raise InputError(
            f"{scheme} needs labels, but the task is a regression; use iid or continuous", "data.partition.scheme"
        )
    codes: Indices = table.y[rows]
    return codes
