"""One global model from clients that drift apart, each method with its own remedy."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategies.base import StrategyPart


class Scaffold(StrategyPart):
    """Clients correct their gradients by control variates (Karimireddy et al. 2020, algorithm 1, option II).

    All clients of a round count alike, as in the paper.
    """

    keeps_state: ClassVar[bool] = True
    plain_clients: ClassVar[bool] = False
    weighting: ClassVar[Literal["rows", "clients", "own"]] = "clients"

    name: Literal["scaffold"] = key("Control variates against client drift.", "scaffold")
    server_lr: float = key("η_g: how much of the clients' mean change the server takes.", 1.0, unit="none", gt=0)

    @property
    def sums(self) -> tuple[str, ...]:
        """The changes of the control variates."""
        return ("control",)


class FedNova(StrategyPart):
    """Each client's change is divided by how far it could go, so that more steps count no more (Wang et al. 2020)."""

    plain_clients: ClassVar[bool] = False
    weighting: ClassVar[Literal["rows", "clients", "own"]] = "own"

    name: Literal["fednova"] = key("Normalized averaging, for clients with different numbers of steps.", "fednova")


class FedDyn(StrategyPart):
    """Clients' losses are corrected so that their minima and the global one agree (Acar et al. 2021, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    keeps_state: ClassVar[bool] = True
    plain_clients: ClassVar[bool] = False
    weighting: ClassVar[Literal["rows", "clients", "own"]] = "clients"

    name: Literal["feddyn"] = key("Dynamic regularization.", "feddyn")
    alpha: float = key("α of the term (α/2)‖θ − θ_global‖² in each client's loss.", 0.1, unit="none", gt=0)


class FedExP(StrategyPart):
    """FedAvg that goes further where clients disagree, by extrapolation (Jhunjhunwala et al. 2023, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    plain_clients: ClassVar[bool] = False
    weighting: ClassVar[Literal["rows", "clients", "own"]] = "clients"

    name: Literal["fedexp"] = key("A server's step as long as the clients' changes allow.", "fedexp")
    eps: float = key("ε beside ‖mean change‖² in the step's denominator.", 1e-3, unit="none", ge=0)


class Moon(StrategyPart):
    """Clients' features are drawn to the global network's and away from their own old ones (Li et al. 2021)."""

    keeps_state: ClassVar[bool] = True
    plain_clients: ClassVar[bool] = False
    only_mean: ClassVar[bool] = True

    name: Literal["moon"] = key("Model-contrastive learning.", "moon")
    mu: float = key("μ of the contrastive term in each client's loss.", 1.0, unit="none", ge=0)
    temperature: float = key("τ by which similarities are divided.", 0.5, unit="none", gt=0)
