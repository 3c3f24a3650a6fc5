"""Competition: what a scenario can choose of it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from common.scenario.base import key, refuse
from common.scenario.data import Data
from common.scenario.metrics import MetricName
from common.scenario.model import Model
from common.scenario.strategy import StrategyPart
from common.scenario.training import Training

Positive = Annotated[float, Field(gt=0)]


class Competition(StrategyPart, name="competition", server="common.methods.competition.server:Competition"):
    """Networks compete: the super node judges them and spreads the best weights to the others.

    In `best`, `top_k`, `weighted` and `layerwise` all networks start a round from the same weights; in
    `tournament` and `population` each client's network is a line of its own, which the client keeps. The global model
    that is reported and saved is the best-scored of the round's networks, what the super node makes of them included:
    a mean that scores worse than a network in it is spread, but not reported. A network whose score is not a number
    ranks last and spreads nothing; of equal ones the client with the lower id wins.
    """

    needs_client_updates: ClassVar[bool] = True

    mode: Literal["best", "top_k", "weighted", "tournament", "layerwise", "population"] = key(
        "best: the winner takes all. top_k: the k best are averaged. weighted: all are averaged by the softmax of "
        "their scores. tournament: random pairs, losers take their winner's weights. layerwise: from the winner on, "
        "each layer is taken from whichever network makes the combination score better. population: the worst take "
        "the weights and settings of one of the best and change the settings (Jaderberg et al. 2017, algorithm 1).",
        "best",
    )
    judge: Literal["server", "clients"] = key(
        "Who judges: the server on its validation examples, or the cohort's clients on their own held-out examples.",
        "server",
    )
    score: MetricName = key("What networks are judged by; of losses and errors less is better.", "loss")
    keep_champion: bool = key(
        "Let the last round's global model compete once more, as it is. In tournament and population it meets nobody, "
        "but stays the global model until it is beaten.",
        False,
    )
    adopted_state: Literal["reset", "copied"] = key(
        "What becomes of the optimizer state that a client keeps (training.optimizer_state: client) when it takes over "
        "another's weights: it begins anew, or is copied with them.",
        "reset",
    )
    k: int = key("top_k: how many of the best are averaged.", 3, unit="networks", ge=1)
    average: Literal["equal", "rows"] = key("top_k: each counts alike, or by its client's number of examples.", "equal")
    temperature: float = key(
        "weighted: scores are divided by this before the softmax; near 0 the best takes all.", 0.1, unit="score", gt=0
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
    ranges: dict[str, Annotated[tuple[Positive, Positive], Field(strict=False)]] = key(
        "population: the least and the most that settings may become, as {optimizer.lr: [0.001, 1]}; of others any.",
        {},
    )

    @property
    def keeps_networks(self) -> bool:
        """Where networks are lines of their own."""
        return self.mode in ("tournament", "population")

    @model_validator(mode="after")
    def _ranges_of_settings(self) -> Competition:
        for name, (least, most) in self.ranges.items():
            if name not in self.settings:
                raise refuse("ranges", f"ranges of settings, which are {', '.join(self.settings)}; {name} is none")
            if least > most:
                raise refuse("ranges", f"the least before the most for {name}")
        return self

    @property
    def judged_by(self) -> str:
        """The score."""
        return self.score

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """Someone must have examples to judge by; a population varies what clients each read a number of their own for.

        And what is above 0.
        """
        rows = {"server": "validation_fraction", "clients": "client_holdout"}[self.judge]
        if not getattr(data, rows):
            return f"data.{rows}", f"above 0: the examples that judge: {self.judge} judges networks on"
        known = training.own_settings()
        for setting in self.settings if self.mode == "population" else ():
            if setting not in known:
                near = get_close_matches(setting, known, 1)
                return (
                    "federation.strategy.settings",
                    f"settings that clients can each have their own number for: {', '.join(known)}; {setting} is none"
                    + (f"; did you mean {near[0]}?" if near else ""),
                )
            value: Any = training
            for part in setting.split("."):
                value = getattr(value, part)
            if not value:
                told = "left out" if value is None else f"{value:g}"
                return f"training.{setting}", f"a number above 0, from which the population starts; it is {told}"
        return None

    def __hash__(self) -> int:
        # A dictionary has no hash of its own.
        return hash(self.model_dump_json())
