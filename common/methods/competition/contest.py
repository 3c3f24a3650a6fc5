"""One round's networks, judged, and what a mode makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.arrays import NamedArrays
from common.data.prepared import Indices


@dataclass(frozen=True)
class Contest:
    """The networks of a round, in cohort order; last, where it is kept, the champion."""

    round: int
    options: Any
    """The strategy's options, of `common.scenario.strategies.Competition`."""
    positions: Indices
    """The positions of their clients in the federation, CHAMPION for the champion, (networks,)."""
    examples: Indices
    """The training examples of their clients, (networks,)."""
    models: NamedArrays
    """Their parameters and buffers, (networks, *shape)."""
    scores: NDArray[np.float64]
    """More is better, NaN for one that could not be judged, (networks,)."""
    judge: Callable[[NamedArrays], NDArray[np.float64]]
    """Scores further models, (models, *shape)."""

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which networks have a score."""
        return ~np.isnan(self.scores)

    @property
    def ranking(self) -> Indices:
        """The networks' places, best first; among equals the lower position, those without a score last."""
        return np.lexsort((self.positions, -np.where(self.judged, self.scores, -np.inf)))

    def model(self, place: int) -> NamedArrays:
        """One network's weights, which do not keep the others in memory."""
        return {name: np.array(array[place]) for name, array in self.models.items()}

    def mean(self, shares: NDArray[np.float64]) -> NamedArrays:
        """Σ share · weights over the networks; those with share 0 do not count, whatever they hold."""
        chosen = np.flatnonzero(shares)
        return {
            name: np.tensordot(shares[chosen].astype(array.dtype), array[chosen], axes=1)
            for name, array in self.models.items()
        }


@dataclass(frozen=True)
class CompetitionResult:
    """What a contest comes to."""

    weights: NamedArrays
    """The next global weights, parameters and buffers."""
    shares: NDArray[np.float64]
    """How much of each network is in them, (networks,)."""
    parents: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    """For lines: the position of the client whose weights each network started from, -1 for the given ones."""
    givers: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    """For lines: the place of the network whose weights each continues with."""
    settings: NamedArrays = field(default_factory=dict)
    """The settings that were each network's own in the round, (networks,)."""
    mean: bool = False
    """Whether the weights are a mean, which may score worse than a network in it."""
