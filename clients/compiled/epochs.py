"""Training epoch by epoch: where examples are augmented, and where clients may stop early."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
class Span:
    """The steps of one epoch of several clients."""

    first: Indices
    """The step that each client begins the epoch with, (clients,): its last one where it has finished."""
    end: Indices
    """The step after its last in this epoch."""


def spans(shards: Shards, steps: Indices, training: Training) -> Iterator[tuple[int, Span]]:
    """The epochs of a round, by number: `steps` are how many each client takes in all.

    Who takes fewer after all is told between epochs, in place.
    """
    per_epoch = steps_per_epoch(shards.sizes, training)
    for epoch in range(int((-(-steps // per_epoch)).max())):
        first = np.minimum(epoch * per_epoch, steps)
        yield epoch, Span(first, np.minimum(first + per_epoch, steps))


@dataclass(frozen=True)
class AugmentedExamples:
    """One epoch's examples, one client's after the other's, in the order in which they are trained on."""

    positions: Indices
    """Positions in the data."""
    inputs: NDArray[np.float32]
    """What the networks see of them, (examples, features)."""
    starts: Indices
    """Where each client's examples begin, and where the last's end: (clients + 1,)."""


def augment_epoch(
    epoch: int,
    span: Span,
    shards: Shards,
    training: Training,
    orders: seeds.Streams,
    examples: ExampleReader,
    fills: Tensor | None,
    augment: Augment,
) -> AugmentedExamples:
    """The same examples in the same order, changed by the same draws, as those of `clients.training.inputs`.

    `orders` are the clients' streams for the order of their examples.
    """
    sizes: Any = shards.sizes
    batch = sizes if training.batch_size == "full" else np.full_like(sizes, training.batch_size)
    # A round that ends within an epoch leaves some of its examples unseen.
    used = np.minimum(sizes, (span.end - span.first) * batch)
    order = seeds.shuffles(seeds.fork(orders, epoch), sizes)
    owners, places = np.nonzero(np.arange(order.shape[1]) < used[:, None])
    chosen = shards.positions[shards.starts()[owners] + order[owners, places]]
    at_step = seeds.nth(augment.keys[owners], span.first[owners] + places // batch[owners])
    keys = seeds.nth(at_step, places % batch[owners])
    inputs = augmented(examples, chosen, None if fills is None else fills[owners], augment.pipeline, keys)
    return AugmentedExamples(chosen, inputs.numpy(), np.concatenate([[0], np.cumsum(used)]))
