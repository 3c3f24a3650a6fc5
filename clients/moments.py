"""Sums over clients' training rows, from which the server learns how to scale columns."""

from __future__ import annotations

import numpy as np

from common.data.agreement import Moments
from common.data.prepared import Prepared
from common.messages import Blocks


def block_moments(prepared: Prepared, blocks: Blocks) -> list[Moments]:
    """The moments of each block's training rows: features, then a regression's targets."""
    return [_of(prepared, blocks.clients[part]) for part in blocks.slices()]


def _of(prepared: Prepared, clients: np.ndarray) -> Moments:
    rows = np.concatenate([prepared.training_rows(client) for client in clients])
    columns = prepared.x[rows].astype(np.float64)
    if prepared.meta.targets:
        columns = np.concatenate([columns, prepared.y[rows]], axis=1)
    return Moments.of(columns)
