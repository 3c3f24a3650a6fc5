"""The course of a stack's clients in a round: how networks of theirs are made ready and trained."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import Batch
from clients.training.inputs import inputs_of
from clients.training.trainer import Stack
from common.data.prepared import Indices, Shards
from common.determinism import global_generators
from common.extend.client import ClientLoop
from common.models import Weights
from common.scenario.training import Training


@dataclass(frozen=True)
class StackTraining:
    """What training in this round means for a stack's clients, whichever networks they train.

    Every network that is trained by a course sees the same batches and the same dropout.
    """

    places: Indices
    """The clients' places in the message, (stack,)."""
    shards: Shards
    """What they train on."""
    training: Training
    """The options of the course."""
    seed: int
    """What its draws come from."""
    counts: Indices
    """How many steps each client takes, (stack,)."""
    ready: Callable[[Weights, Collection[str]], Stack]
    """Makes a stack of parameters and running statistics (stack, *shape), with a fresh optimizer; of the
    parameters those of the given names are trained, in place, and the others have a part in forward passes."""
    batches: Callable[[], Iterable[Batch]]
    """The steps, from the first."""
    everything: Callable[[], Iterable[Batch]]
    """Batches with each of a client's examples once."""
    warm_up: Callable[[int], StackTraining]
    """A course of this many epochs that comes before this one, with draws of its own."""
    train: Callable[[Stack], tuple[NDArray[np.float64], Indices]]
    """Trains a stack in place: each client's mean batch loss, and the steps behind its weights, (stack,)."""

    def train_by(self, loop: ClientLoop, stack: Stack, keys: Sequence[int]) -> tuple[NDArray[np.float64], Indices]:
        """Train each client by a loop of its own; `keys` set the global generators, one for each client."""
        losses = np.empty(len(keys))
        for place, key in enumerate(keys):
            model = deepcopy(stack.network).train()
            arrays = stack.parameters | stack.fixed | stack.buffers
            model.assign({name: tensor[place].clone() for name, tensor in arrays.items()})
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(name in stack.parameters)
            with global_generators(key):
                losses[place] = float(loop.train(model, self._batches_of(stack, place)))
            for name, tensor in model.arrays().items():
                arrays[name][place] = tensor.detach()
        return losses, self.counts

    def _batches_of(self, stack: Stack, place: int) -> Iterator[tuple[Tensor, Tensor]]:
        """A client's batches: inputs and targets, without padding."""
        for batch, x in inputs_of(self.batches(), stack.examples, stack.fills, stack.augment):
            if place >= batch.active:
                return
            real = int(batch.counts[place])
            yield x[place, :real], stack.examples.targets(batch.positions[place, :real])
