"""SCAFFOLD: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.data import Data
from common.scenario.model import Model
from common.scenario.optimizers import Optimizer
from common.scenario.strategy import StrategyPart
from common.scenario.training import Training


class Scaffold(
    StrategyPart,
    name="scaffold",
    server="common.methods.scaffold.server:Scaffold",
    client="common.methods.scaffold.client:Scaffold",
    compiled=True,
):
    """Clients correct their gradients by control variates (Karimireddy et al. 2020, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    keeps_state: ClassVar[bool] = True
    weighting: ClassVar[Literal["examples", "clients", "custom"]] = "clients"

    server_lr: float = key("η_g: how much of the clients' mean change the server takes.", 1.0, unit="none", gt=0)

    control: Literal["auto", "option_1", "option_2"] = key(
        "How a client finds its new control variate (line 12): option_1 takes the gradient of its objective at the "
        "round's global weights, in a further pass over its examples; option_2 divides what training has moved by the "
        "optimizer's steps, which is a mean gradient only where the optimizer is linear in its gradients. auto takes "
        "option_2 for sgd, momentum and averaged_momentum, else option_1.",
        "auto",
    )

    @property
    def sums(self) -> tuple[str, ...]:
        """The changes of the control variates."""
        return ("control",)

    def takes_gradient(self, optimizer: Optimizer) -> bool:
        """Whether clients find their control variates by option I."""
        return self.control == "option_1" or (self.control == "auto" and not optimizer.linear)

    def passes(self, training: Training) -> int:
        """One for option I."""
        return int(self.takes_gradient(training.optimizer))

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """Option II with an adaptive optimizer finds no gradient."""
        if self.control == "option_2" and not training.optimizer.linear:
            return (
                "federation.strategy.control",
                f"auto or option_1 with {training.optimizer.name}, whose steps are no weighted sums of gradients",
            )
        return None
