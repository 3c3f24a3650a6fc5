"""One global model from clients that drift apart, each method with its own remedy."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.model import Model
from common.scenario.optimizers import Optimizer
from common.scenario.strategies.base import StrategyPart
from common.scenario.training import Training


class Scaffold(
    StrategyPart,
    name="scaffold",
    server="server.strategies.scaffold:Scaffold",
    client="clients.algorithms.scaffold:Scaffold",
):
    """Clients correct their gradients by control variates (Karimireddy et al. 2020, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    keeps_state: ClassVar[bool] = True
    weighting: ClassVar[Literal["rows", "clients", "own"]] = "clients"

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

    def misfit(self, model: Model, training: Training) -> tuple[str, str] | None:
        """Option II with an adaptive optimizer finds no gradient."""
        if self.control == "option_2" and not training.optimizer.linear:
            return (
                "federation.strategy.control",
                f"auto or option_1 with {training.optimizer.name}, whose steps are no weighted sums of gradients",
            )
        return None


class FedNova(
    StrategyPart,
    name="fednova",
    server="server.strategies.fednova:FedNova",
    client="clients.algorithms.fednova:FedNova",
):
    """Each client's change is divided by how far it could go, so that more steps count no more (Wang et al. 2020)."""

    weighting: ClassVar[Literal["rows", "clients", "own"]] = "own"

    def misfit(self, model: Model, training: Training) -> tuple[str, str] | None:
        """An adaptive optimizer's change is not normalized by its steps."""
        if not training.optimizer.linear:
            return (
                "training.optimizer",
                f"sgd, momentum or averaged_momentum with fednova: the steps of {training.optimizer.name} are no "
                "weighted sums of gradients, which is what it normalizes by",
            )
        return None


class FedDyn(
    StrategyPart, name="feddyn", server="server.strategies.feddyn:FedDyn", client="clients.algorithms.feddyn:FedDyn"
):
    """Clients' losses are corrected so that their minima and the global one agree (Acar et al. 2021, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    keeps_state: ClassVar[bool] = True
    weighting: ClassVar[Literal["rows", "clients", "own"]] = "clients"

    alpha: float = key("α of the term (α/2)‖θ − θ_global‖² in each client's loss.", 0.1, unit="none", gt=0)


class FedExP(
    StrategyPart, name="fedexp", server="server.strategies.fedexp:FedExP", client="clients.algorithms.fedexp:FedExP"
):
    """FedAvg that goes further where clients disagree, by extrapolation (Jhunjhunwala et al. 2023, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    weighting: ClassVar[Literal["rows", "clients", "own"]] = "clients"

    eps: float = key("ε beside ‖mean change‖² in the step's denominator.", 1e-3, unit="none", ge=0)


class Moon(StrategyPart, name="moon", server="server.strategies.moon:Moon", client="clients.algorithms.moon:Moon"):
    """Clients' features are drawn to the global network's and away from their own old ones (Li et al. 2021)."""

    keeps_state: ClassVar[bool] = True
    only_mean: ClassVar[bool] = True

    mu: float = key("μ of the contrastive term in each client's loss.", 1.0, unit="none", ge=0)
    temperature: float = key("τ by which similarities are divided.", 0.5, unit="none", gt=0)
