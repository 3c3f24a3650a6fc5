"""What a round of training is to do, and what it brought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.extend.results import BlockResult
from common.extend.strategy import Instructions
from common.messages import InitialWeights


@dataclass(frozen=True)
class Assignment:
    """Who is to train in a round, and from what."""

    round: int
    cohort: Indices
    """The clients' positions in the federation, ascending."""
    parameters: NamedArrays
    """Starting weights for all clients."""
    instructions: Instructions
    known: bool
    """Whether every client has a start of its own, so that `parameters` need not be sent."""
    starts: InitialWeights
    """The own starting weights that some of the cohort have, by their places in it."""
    versions: Indices
    """For every client of the federation the version of its state to build on."""
    without: dict[int, str]
    """Blocks to leave out, and why: what a deadline excluded before a run was resumed stays excluded."""


@dataclass(frozen=True)
class RoundResults:
    """What a round of training brought."""

    results: list[BlockResult]
    """The usable blocks, in block order."""
    clients: Indices
    """The ids of the clients that are in the results."""
    losses: NDArray[np.float64]
    """Each one's mean training loss, (clients,)."""
    loss: float
    """Their mean training loss, by examples; NaN where nobody took part."""
