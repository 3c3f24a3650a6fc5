"""Augmented examples for the compiled trainer, one epoch at a time, in the order in which clients train on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import steps_per_epoch
from clients.training.inputs import Augment, augmented
from common import seeds
from common.data.examples import ExampleReader
from common.data.prepared import Indices, Shards
from common.scenario.training import Training


@dataclass(frozen=True)
class Epoch:
    """One epoch of several clients, one client's examples after the other's."""

    positions: Indices
    """Positions in the data."""
    inputs: NDArray[np.float32]
    """What the networks see of them, (examples, features)."""
    starts: Indices
    """Where each client's examples begin, and where the last's end: (clients + 1,)."""
    first: Indices
    """The step that each client begins the epoch with, (clients,): its last one where it has finished."""
    end: Indices
    """The step after its last in this epoch."""


def epochs(
    shards: Shards,
    steps: Indices,
    training: Training,
    orders: seeds.Streams,
    examples: ExampleReader,
    fills: Tensor | None,
    augment: Augment,
) -> Iterator[Epoch]:
    """The epochs of a round: the same examples in the same order, changed by the same draws, as those of `inputs`.

    `orders` are the clients' streams for the order of their examples, `steps` how many steps each takes in all.
    """
    sizes, per_epoch = shards.sizes, steps_per_epoch(shards.sizes, training)
    batch = sizes if training.batch_size == "full" else np.full_like(sizes, training.batch_size)
    for epoch in range(int((-(-steps // per_epoch)).max())):
        first = np.minimum(epoch * per_epoch, steps)
        end = np.minimum(first + per_epoch, steps)
        # A round that ends within an epoch leaves some of its examples unseen.
        used = np.minimum(sizes, (end - first) * batch)
        order = seeds.shuffles(seeds.fork(orders, epoch), sizes)
        owners, places = np.nonzero(np.arange(order.shape[1]) < used[:, None])
        chosen = shards.positions[shards.starts()[owners] + order[owners, places]]
        at_step = seeds.nth(augment.keys[owners], first[owners] + places // batch[owners])
        keys = seeds.nth(at_step, places % batch[owners])
        inputs = augmented(examples, chosen, None if fills is None else fills[owners], augment.pipeline, keys)
        yield Epoch(chosen, inputs.numpy(), np.concatenate([[0], np.cumsum(used)]), first, end)
