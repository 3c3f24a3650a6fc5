"""The leaderboard of a competition: who competed in a round, how they ranked, where their weights came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    # What only describes a run needs neither Flower nor PyTorch.
    from common.arrays import NamedArrays
    from common.data.prepared import Indices

CHAMPION = -2
"""In a client's place: the global model of the round before, which competes once more as it is."""

_MOST = 1000
"""Rungs that are recorded of a round, from the top."""


@dataclass(frozen=True)
class Leaderboard:
    """A round's networks, in any order; a strategy that lets networks compete gives one each round.

    As a line of ladder.jsonl:

        {"round": 3, "metric": "validation_accuracy", "more_is_better": true,
         "clients": [4, 9, 1], "scores": [0.93, 0.91, null], "parents": [9, 9, -1], "shares": [1.0, 0.0, 0.0],
         "adopts": [4, 4, 4], "settings": {"optimizer.lr": [0.1, 0.2, 0.1]}, "reported": null}

    best first, at most 1,000 networks. In a client's place −2 is the champion: the last round's global model.
    """

    metric: str
    """What they were judged by, such as validation_accuracy."""
    more_is_better: bool
    clients: Indices
    """The ids of the clients whose networks competed, (networks,)."""
    scores: NDArray[np.float64]
    """What each scored, NaN for one that could not be judged: it ranks last. (networks,)"""
    parents: Indices
    """The client whose weights, as they were when it last competed before, each network started this round from;
    −1 where it started from the untrained model or from the given weights. (networks,)"""
    shares: NDArray[np.float64]
    """How much of each network is in the weights that are spread: 1 for a sole winner, the weights of a mean, the
    share of the layers. (networks,)"""

    adopts: Indices
    """The client whose weights each network takes over: its own id, the winner's, or the one with the largest share of
    a mean. (networks,)"""
    settings: NamedArrays = field(default_factory=dict)
    """Each network's own settings, (networks,)."""
    reported: int | None = None
    """The client whose network is the global model, as it scores better than what is spread; else that is."""

    def line(self, round_number: int) -> dict[str, Any]:
        """This as a line of ladder.jsonl."""
        scores = np.where(np.isnan(self.scores), -np.inf, self.scores if self.more_is_better else -self.scores)
        order = np.argsort(-scores, kind="stable")[:_MOST]
        return {
            "round": round_number,
            "metric": self.metric,
            "more_is_better": self.more_is_better,
            "clients": self.clients[order].tolist(),
            "scores": self.scores[order].tolist(),
            "parents": self.parents[order].tolist(),
            "shares": self.shares[order].tolist(),
            "adopts": self.adopts[order].tolist(),
            **({"settings": {key: own[order].tolist() for key, own in self.settings.items()}} if self.settings else {}),
            "reported": self.reported,
        }
