"""What the networks of a stack see, step after step: examples gathered, augmented where wanted, and transformed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clients.augmentation import Pipeline
from clients.batches import Batch
from common import seeds
from common.data.examples import ExampleReader
from common.data.prepared import Indices

_CHUNK_NUMBERS = 1 << 19
"""How many numbers are augmented at once: enough to make calls worth their while, few enough for a core's cache."""


@dataclass(frozen=True)
class Augment:
    """How the examples of a stack are augmented: by the same pipeline, each client with its own draws."""

    pipeline: Pipeline
    keys: seeds.Streams
    """A stream for each client of the stack."""

    @classmethod
    def of(cls, pipeline: Pipeline, seed: int, round_number: int, clients: Indices) -> Augment | None:
        """A round's augmentation of a stack of clients; None where the pipeline is empty."""
        if not pipeline:
            return None
        return cls(pipeline, seeds.streams(seed, "augmentation", round_number, clients))


def inputs_of(
    steps: Iterable[Batch], examples: ExampleReader, fills: Tensor | None, augment: Augment | None
) -> Iterator[tuple[Batch, Tensor]]:
    """Each step with its inputs, (active, batch size, features).

    `fills` (stack, raw features) are what takes the place of gaps in each client's examples, where that is its own.
    """
    if augment is None:
        for batch in steps:
            yield batch, examples.inputs(batch.positions, None if fills is None else fills[: batch.active])
        return
    for chunk, inputs in chunks(steps, examples, fills, augment):
        sizes = [batch.positions.numel() for batch in chunk]
        for batch, part in zip(chunk, inputs.split_with_sizes(sizes), strict=True):
            yield batch, part.view(*batch.positions.shape, -1)


def chunks(
    steps: Iterable[Batch], examples: ExampleReader, fills: Tensor | None, augment: Augment
) -> Iterator[tuple[list[Batch], Tensor]]:
    """Several steps at once, and their augmented inputs one after the other: (examples of all steps, features).

    An example's draws depend on its client's stream, the number of the step and its place in the batch, and on
    nothing else: not on who else is in the stack, and not on how steps are taken together.
    """
    for chunk in _chunked(steps, _CHUNK_NUMBERS // examples.features):
        positions = torch.cat([batch.positions.reshape(-1) for batch in chunk])
        own = None
        if fills is not None:
            clients = [torch.arange(batch.active).repeat_interleave(batch.positions.shape[1]) for batch in chunk]
            own = fills[torch.cat(clients)]
        yield (
            chunk,
            examples.inputs(positions, own, augment.pipeline.change(_keys(augment.keys, chunk), positions.numpy())),
        )


def augmented(
    examples: ExampleReader, positions: Indices, fills: Tensor | None, pipeline: Pipeline, keys: seeds.Streams
) -> Tensor:
    """Augmented inputs, (examples, features); each example has its own stream and, where clients fill gaps, fills."""
    places, each = torch.from_numpy(positions), max(1, _CHUNK_NUMBERS // examples.features)
    found: Tensor | None = None
    for first in range(0, len(positions), each):
        piece = slice(first, first + each)
        inputs = examples.inputs(
            places[piece], None if fills is None else fills[piece], pipeline.change(keys[piece], positions[piece])
        )
        if found is None:
            found = inputs.new_empty(len(positions), inputs.shape[1])
        found[piece] = inputs
    assert found is not None
    return found


def example_keys(keys: seeds.Streams, first: int, steps: int, width: int) -> seeds.Streams:
    """A stream for each example of each client's batches from step `first` on: (clients, steps, width)."""
    return seeds.numbered(seeds.numbered(keys, first, steps), 0, width)


def _keys(keys: seeds.Streams, chunk: list[Batch]) -> seeds.Streams:
    """The streams of a chunk's examples, in its order."""
    each = example_keys(keys, chunk[0].step, len(chunk), chunk[0].positions.shape[1])
    return np.concatenate([each[: batch.active, at].reshape(-1) for at, batch in enumerate(chunk)])


def _chunked(steps: Iterable[Batch], most: int) -> Iterator[list[Batch]]:
    """Steps in lists of at most this many examples, at least one step in each."""
    chunk: list[Batch] = []
    examples = 0
    for batch in steps:
        if chunk and examples + batch.positions.numel() > most:
            yield chunk
            chunk, examples = [], 0
        chunk.append(batch)
        examples += batch.positions.numel()
    if chunk:
        yield chunk
