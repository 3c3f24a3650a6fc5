"""Equal random shards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.partitions.flower import shared_out
from common.data.table import Table
from common.scenario.partitions import IidPartition


def cut(spec: IidPartition, table: Table, rows: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Contiguous pieces of the shuffled rows."""
    from flwr_datasets.partitioner import IidPartitioner

    return shared_out(IidPartitioner(spec.clients), rows, {})
