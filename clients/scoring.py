"""Measuring models on clients' held-out rows."""

from __future__ import annotations

import numpy as np

from common.arrays import tensors
from common.data.gather import Rows
from common.data.prepared import Prepared
from common.evaluation import evaluate
from common.losses import loss_for
from common.messages import EvaluateOrder
from common.metrics import Sums
from common.models import DTYPES, Layout, blank
from common.settings import read_settings


def holdout_scores(prepared: Prepared, order: EvaluateOrder) -> list[Sums]:
    """For each model of the message, sums over the held-out rows of each of its clients."""
    settings, agreement = read_settings(order.settings), order.agreement
    network = blank(settings.model, agreement.features, agreement.outputs)
    layout = Layout.of(network)
    models = len(next(iter(order.parameters.values())))
    flat = layout.flatten(tensors(order.parameters), models)
    rows = Rows(prepared, agreement, DTYPES[settings.model.dtype])
    shards = [prepared.holdout_rows(int(client)) for client in order.blocks.clients]
    positions = np.concatenate([np.empty(0, np.int64), *shards])
    sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
    loss = loss_for(settings.training.loss, agreement.task)
    return evaluate(network, flat, rows, positions, sizes, loss, agreement, settings.batch_size)
