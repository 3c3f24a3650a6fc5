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
from clients.training.trainer import Stack, train_stack
from common.data.prepared import Indices
from common.determinism import global_generators
from common.extend.client import ClientLoop
from common.models import Weights


@dataclass(frozen=True)
class StackTraining:
    """What training in this round means for a stack's clients, whichever networks they train.

    Every network that is trained by a course sees the same batches and the same dropout.
    """

    ready: Callable[[Weights, Collection[str]], Stack]
    """Makes a stack of parameters and running statistics (stack, *shape), with a fresh optimizer; of the
    parameters those of the given names are trained, in place, and the others have a part in forward passes."""
    batches: Callable[[], Iterable[Batch]]
    """The steps, from the first."""
    everything: Callable[[], Iterable[Batch]]
    """Batches with each of a client's examples once."""
    counts: Indices
    """How many steps each client takes, (stack,)."""
    warm_up: Callable[[int], StackTraining]
    """A course of this many epochs that comes before this one, with draws of its own."""

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

    def train(self, stack: Stack) -> tuple[NDArray[np.float64], Indices]:
        """Train a stack in place: each client's mean batch loss, and the steps behind its weights, (stack,)."""
        losses = train_stack(stack, self.batches()).double().cpu().numpy()
        if stack.stopping is None:
            return losses / self.counts, self.counts
        steps = stack.stopping.end(stack.carried, self.counts)
        return losses / stack.stopping.steps_taken(self.counts), steps
