"""Sums over what a batch normalization gets, from which the server recomputes its running statistics."""

from __future__ import annotations

import numpy as np
import torch

from common.arrays import tensors
from common.data.examples import open_examples
from common.data.moments import Moments
from common.data.prepared import Prepared
from common.messages import EvaluateOrder
from common.models import DTYPES, MLP, stateless
from common.settings import read_settings


@torch.inference_mode()
def block_statistics(prepared: Prepared, order: EvaluateOrder, layer: int) -> list[Moments]:
    """For each block, the moments over its training examples of the units that hidden layer `layer` normalizes."""
    settings = read_settings(order.settings)
    network, weights = stateless(settings.model, order.data_spec), tensors(order.parameters)
    assert isinstance(network, MLP), "only an MLP's statistics are recomputed"
    examples = open_examples(prepared, order.data_spec, DTYPES[settings.model.dtype])
    found = []
    for part in order.blocks.slices():
        clients = order.blocks.clients[part]
        shards = [prepared.training_examples(int(client)) for client in clients]
        fills = examples.fills(clients)
        units = []
        for index, shard in enumerate(shards):
            chosen = torch.from_numpy(shard).unsqueeze(0)
            fill = None if fills is None else fills[index : index + 1]
            units.append(network.before_norm(weights, examples.inputs(chosen, fill), layer)[0])
        found.append(Moments.of(torch.cat(units).double().numpy().astype(np.float64)))
    return found
