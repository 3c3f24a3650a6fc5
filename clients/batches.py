"""Which examples each client of a stack sees in each step: keyed shuffles, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common import seeds
from common.data.prepared import Indices
from common.devices import CPU, to_device
from common.scenario.training import Training

_CHUNK = 1 << 20
"""Example positions planned at once: bounds the memory of long local training."""


@dataclass(frozen=True)
class Batch:
    """One step of a stack: the first `active` clients still train, the others have finished."""

    step: int
    """0 in a client's first step of the round."""
    active: int
    positions: Tensor
    """Positions of the examples in the data, int64 of shape (active, batch size)."""
    shares: Tensor
    """Each example's share of its client's mean loss, shape (active, batch size); 0 where a batch is padded.

    On the device where the stack is trained."""
    counts: Indices
    """How many examples each client's batch has, (active,); padding stands behind them."""


def steps_of(sizes: Indices, training: Training) -> Indices:
    """How many steps each client takes in a round, from the examples it has: shape (clients,)."""
    if training.steps is not None:
        return np.full(len(sizes), training.steps, dtype=np.int64)
    return steps_per_epoch(sizes, training) * (training.epochs or 1)


def batches(
    shards: list[Indices], training: Training, keys: seeds.Streams, dtype: torch.dtype, device: torch.device = CPU
) -> Iterator[Batch]:
    """The steps of a stack of clients, which must come in descending order of their steps.

    Every epoch takes each of a client's examples once, in an order drawn from the client's key; an epoch's last
    batch may be smaller. Training by `steps` goes on through as many epochs as it takes.
    """
    sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
    table = np.zeros((len(shards), sizes.max()), dtype=np.int64)
    for place, shard in enumerate(shards):
        table[place, : len(shard)] = shard
    width = int(sizes.max()) if training.batch_size == "full" else min(training.batch_size, int(sizes.max()))
    per_epoch, steps = steps_per_epoch(sizes, training), steps_of(sizes, training)
    chunk = max(1, _CHUNK // (len(shards) * width))
    orders: dict[int, NDArray[np.int64]] = {}
    for first in range(0, int(steps.max()), chunk):
        at = np.arange(first, min(first + chunk, int(steps.max())))
        epoch, step = at // per_epoch[:, None], at % per_epoch[:, None]
        needed = range(int(epoch.min()), int(epoch.max()) + 1)
        orders = {e: orders[e] if e in orders else seeds.shuffles(seeds.fork(keys, e), sizes) for e in needed}
        order = np.stack([orders[e] for e in needed])
        client = np.arange(len(shards))[:, None, None]
        places = step[:, :, None] * width + np.arange(width)
        real = places < sizes[:, None, None]
        # Padding repeats one of the client's own examples with weight 0.
        chosen = order[(epoch - needed.start)[:, :, None], client, np.where(real, places, 0)]
        positions = torch.from_numpy(table[client, chosen])
        counts = real.sum(axis=2)
        shares = to_device(torch.from_numpy(real / counts[:, :, None].clip(min=1)).to(dtype), device)
        active = np.searchsorted(-steps, -at, side="left")
        for index in range(len(at)):
            still = int(active[index])
            yield Batch(int(at[index]), still, positions[:still, index], shares[:still, index], counts[:still, index])


def steps_per_epoch(sizes: Indices, training: Training) -> Indices:
    """How many batches each client's examples make: shape (clients,)."""
    if training.batch_size == "full":
        return np.ones(len(sizes), dtype=np.int64)
    return -(-sizes // training.batch_size)
