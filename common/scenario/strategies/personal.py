"""Strategies in which clients come to models of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.model import Model
from common.scenario.strategies.base import StrategyPart
from common.scenario.training import Training


class PersonalPart(StrategyPart):
    """What they have in common."""

    keeps_state: ClassVar[bool] = True
    outcome: ClassVar[Literal["global", "own"]] = "own"

    def misfit(self, model: Model, training: Training) -> tuple[str, str] | None:
        """Some layer must be left to have in common."""
        dense, own = len(model.layers) + 1, getattr(self, "personal_layers", 0)
        if own < dense:
            return None
        return "federation.strategy.personal_layers", f"fewer than the model's {dense} dense layers"


class FedBN(PersonalPart, name="fedbn", server="server.strategies.fedbn:FedBN"):
    """FedAvg of all but batch normalization, which is each client's own (Li et al. 2021, algorithm 1)."""

    weighting: ClassVar[Literal["rows", "clients"]] = "clients"

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """Those of batch normalizations, which are told by their running statistics."""
        names = list(arrays)
        norms = tuple(name.removesuffix("running_mean") for name in names if name.endswith(".running_mean"))
        return [name for name in names if name.startswith(norms)] if norms else []


class FedPer(PersonalPart, name="fedper", server="server.strategies.fedper:FedPer"):
    """FedAvg of the first layers; the last ones are each client's own (Arivazhagan et al. 2019, algorithms 1 and 2)."""

    personal_layers: int = key(
        "K_P: so many of the dense layers, the last ones, are each client's own, with what normalizes them.",
        1,
        unit="layers",
        ge=0,
    )

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """Those of the last layers."""
        return last_layers(arrays, self.personal_layers)


class FedRep(
    PersonalPart, name="fedrep", server="server.strategies.fedrep:FedRep", client="clients.algorithms.fedrep:FedRep"
):
    """FedPer whose clients train their last layers first and then the others (Collins et al. 2021, algorithm 1)."""

    weighting: ClassVar[Literal["rows", "clients"]] = "clients"

    personal_layers: int = key(
        "So many of the dense layers, the last ones, are each client's own, with what normalizes them.",
        1,
        unit="layers",
        ge=1,
    )
    head_epochs: int = key(
        "τ: how often a client goes through its rows to train its own layers, before it trains the others as "
        "`training` says.",
        10,
        unit="epochs",
        ge=1,
    )

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """Those of the last layers."""
        return last_layers(arrays, self.personal_layers)


class Ditto(
    PersonalPart, name="ditto", server="server.strategies.ditto:Ditto", client="clients.algorithms.ditto:Ditto"
):
    """FedAvg, and beside it a model of each client's own that is held near the global one (Li et al. 2021)."""

    lambda_: float = key(
        "λ of the term (λ/2)‖v − θ_global‖² in the loss of a client's own model v.",
        0.1,
        unit="none",
        ge=0,
        alias="lambda",
    )


class PFedMe(
    PersonalPart, name="pfedme", server="server.strategies.pfedme:PFedMe", client="clients.algorithms.pfedme:PFedMe"
):
    """Personal models that are proximal points of local ones, which are averaged (Dinh et al. 2020, algorithm 1)."""

    weighting: ClassVar[Literal["rows", "clients"]] = "clients"

    lambda_: float = key(
        "λ of the term (λ/2)‖θ − w‖² that holds a client's own model θ near its local one w.",
        15.0,
        unit="none",
        gt=0,
        alias="lambda",
    )
    inner_steps: int = key(
        "K: how many steps of the optimizer find θ on each batch, each with `training.optimizer.lr`.",
        5,
        unit="steps",
        ge=1,
    )
    lr: float = key("η of w ← w − η λ (w − θ) after each batch.", 0.005, unit="none", gt=0)
    beta: float = key("β: how far the global weights go towards the mean of the local ones.", 1.0, unit="none", gt=0)


class IFCA(StrategyPart, name="ifca", server="server.strategies.ifca:IFCA", client="clients.algorithms.ifca:IFCA"):
    """Several global models; each client trains the one that fits its rows best (Ghosh et al. 2020, algorithm 1)."""

    outcome: ClassVar[Literal["global", "own"]] = "own"
    weighting: ClassVar[Literal["rows", "clients"]] = "clients"

    clusters: int = key(
        "k: how many global models there are. The first starts as the scenario's model does, the others are drawn "
        "anew; each client goes with the one whose loss on its training rows is least.",
        2,
        unit="models",
        ge=1,
    )

    @property
    def sums(self) -> tuple[str, ...]:
        """The weights of each cluster's members."""
        return tuple(f"cluster.{cluster}" for cluster in range(self.clusters))


def last_layers(arrays: Iterable[str], count: int) -> list[str]:
    """The arrays of the last `count` dense layers, and of what normalizes them."""
    layer = {name: int(name.split(".")[1]) for name in arrays}
    return [name for name, index in layer.items() if index > max(layer.values()) - count]
