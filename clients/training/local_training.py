"""The course of a stack's clients in a round: how networks of theirs are made ready and trained."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clients.batches import Batch
from clients.training.trainer import Stack, train_stack
from common.data.prepared import Indices
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
    """A course of so many epochs that comes before this one, with draws of its own."""

    def train(self, stack: Stack) -> tuple[NDArray[np.float64], Indices]:
        """Train a stack in place: each client's mean batch loss, and the steps behind its weights, (stack,)."""
        losses = train_stack(stack, self.batches()).double().numpy()
        if stack.stopping is None:
            return losses / self.counts, self.counts
        steps = stack.stopping.end(stack.carried, self.counts)
        return losses / stack.stopping.taken(self.counts), steps
