"""Measuring models on rows: one model or a stack of them, in large batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.agreement import Agreement
from common.data.gather import Rows
from common.losses import Loss
from common.metrics import Sums, row_sums
from common.models import MLP, Layout


@torch.inference_mode()
def evaluate(
    network: MLP,
    flat: Tensor,
    rows: Rows,
    positions: NDArray[np.int64],
    sizes: NDArray[np.int64],
    loss: Loss,
    agreement: Agreement,
    batch_size: int,
) -> list[Sums]:
    """Sums over groups of rows, for each model: flat (models, parameters) → a list of models' sums.

    `positions` holds the groups' rows one after the other, `sizes` how many each group has. Every model sees
    all rows, `batch_size` at a time.
    """
    groups = np.repeat(np.arange(len(sizes)), sizes)
    weights = Layout.of(network).views(flat)
    results: list[dict[str, NDArray[np.float64]]] = [{} for _ in flat]
    for start in range(0, len(positions), batch_size) or [0]:
        chosen = torch.from_numpy(positions[start : start + batch_size])
        x, y = rows.inputs(chosen), rows.targets(chosen)
        outputs = network.forward_stack(weights, x.expand(len(flat), *x.shape))
        for model, sums in enumerate(results):
            terms = row_sums(outputs[model], y, loss(outputs[model], y), agreement)
            for name, term in terms.items():
                values = term.numpy()
                into = sums.setdefault(name, np.zeros((len(sizes), *values.shape[1:])))
                np.add.at(into, groups[start : start + batch_size], values)
    return results
