"""What clients cost, roughly, in seconds of one processor: it says which blocks leave first, and what travels together.

Nothing but the time that a round takes depends on these estimates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Indices
from common.scenario.training import Training

Seconds = NDArray[np.float64]
"""An estimate for each client, (clients,)."""

_RATE = 4e10
"""Multiply-adds in a second, of networks of ordinary size."""
_CLIENT = 1e-6
"""What a client costs whatever its examples and its network."""


def training_cost(settings: Training, parameters: int, examples: Indices, passes: int = 0) -> Seconds:
    """A round of local training: every number of the network once forward and twice backward for each example.

    A step moves every number once more, and so does the sum of the clients' networks. `passes` are those over all of a
    client's examples beside its training.
    """
    epochs = settings.epochs or 1
    if settings.batch_size == "full":
        batch, steps = examples, np.full(len(examples), epochs)
    else:
        batch, steps = np.minimum(examples, settings.batch_size), epochs * -(-examples // settings.batch_size)
    seen = epochs * examples
    if settings.steps is not None:
        steps = np.full(len(examples), settings.steps)
        seen = steps * batch
    costs: Seconds = _CLIENT + parameters * (3.0 * (seen + passes * examples) + steps + 1) / _RATE
    return costs


def evaluation_cost(numbers: int, examples: Indices) -> Seconds:
    """Looking at examples once, with `numbers` multiply-adds for each: an evaluation, sums over columns."""
    costs: Seconds = (_CLIENT + float(numbers) * examples / _RATE).astype(np.float64)
    return costs
