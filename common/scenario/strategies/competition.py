"""Networks that compete."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategies.base import StrategyPart


class Competition(StrategyPart):
    """Networks compete: the super node judges them and spreads the best weights to the others.

    In `best`, `top_k`, `weighted` and `layerwise` all networks start a round from the same weights; in
    `tournament` and `population` each client's network is a line of its own, kept by the server. A network whose
    score is not a number ranks last and spreads nothing; of equal ones the first in the cohort wins.
    """

    each: ClassVar[bool] = True

    name: Literal["competition"] = key("Networks compete, the best weights are spread.", "competition")
    mode: Literal["best", "top_k", "weighted", "tournament", "layerwise", "population"] = key(
        "best: the winner takes all. top_k: the k best are averaged. weighted: all are averaged by the softmax of "
        "their scores. tournament: random pairs, losers take their winner's weights. layerwise: from the winner on, "
        "each layer is taken from whichever network makes the combination score better. population: the worst take "
        "the weights and settings of one of the best and change the settings (Jaderberg et al. 2017, algorithm 1).",
        "best",
    )
    judge: Literal["server", "clients"] = key(
        "Who judges: the server on its validation rows, or the cohort's clients on their own held-out rows.", "server"
    )
    k: int = key("top_k: how many of the best are averaged.", 3, unit="networks", ge=1)
    temperature: float = key(
        "weighted: scores are divided by this before the softmax; near 0 the best takes all.", 0.01, unit="score", gt=0
    )
    replaced: float = key(
        "population: the share of a round's networks that is replaced, and the share they are replaced by.",
        0.2,
        unit="fraction",
        gt=0,
        le=0.5,
    )
    factor: float = key(
        "population: settings that are taken over are multiplied or divided by this.", 1.2, unit="none", gt=1
    )
    spread: float = key(
        "population: settings begin within this factor of the scenario's, up or down.", 2.0, unit="none", ge=1
    )
    settings: tuple[str, ...] = key(
        "population: which of the clients' settings, as keys of training, are each network's own.",
        ("optimizer.lr",),
        strict=False,
        min_length=1,
    )
