"""Strategies that take the clients' mean change for a gradient and step along it on the server.

The options are those of Flower's strategies, under the same names. Its `eta_l` is not among them: the clients' rate
is `training.optimizer.lr`. In Flower's FedAdagrad, FedAdam and FedYogi the mean of squares begins with v = 0, where the
paper asks for v₋₁ ≥ τ²: the first steps are longer.
"""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategies.base import StrategyPart


class FedAvgM(StrategyPart, name="fedavgm", server="server.strategies.fedavgm:FedAvgM"):
    """FedAvg with momentum on the server (Hsu et al. 2019, section 4.3)."""

    only_mean: ClassVar[bool] = True

    server_learning_rate: float = key(
        "How far the server steps along the clients' mean change.", 1.0, unit="none", gt=0
    )
    server_momentum: float = key("How much of the previous step goes on.", 0.9, unit="none", ge=0, lt=1)


class FedAdagrad(StrategyPart, name="fedadagrad", server="server.strategies.fedadagrad:FedAdagrad"):
    """Adagrad on the server (Reddi et al. 2021, algorithm 2).

    Flower's has no momentum and begins with v = 0; the paper has momentum in all three methods, and v₋₁ ≥ τ².
    """

    only_mean: ClassVar[bool] = True

    eta: float = key("The server's learning rate.", 0.1, unit="none", gt=0)
    tau: float = key("Added to the root: how adaptive it is, small being more.", 1e-3, unit="none", gt=0)


class FedAdam(StrategyPart, name="fedadam", server="server.strategies.fedadam:FedAdam"):
    """Adam on the server (Reddi et al. 2021, algorithm 2).

    Flower begins with v = 0, where the paper has v₋₁ ≥ τ², and corrects the bias of both moments, by one round more
    than were done; the paper corrects none.
    """

    only_mean: ClassVar[bool] = True

    eta: float = key("The server's learning rate.", 0.1, unit="none", gt=0)
    beta_1: float = key("Decay of the mean of changes.", 0.9, unit="none", ge=0, lt=1)
    beta_2: float = key("Decay of the mean of their squares.", 0.99, unit="none", ge=0, lt=1)
    tau: float = key("Added to the root: how adaptive it is, small being more.", 1e-3, unit="none", gt=0)


class FedYogi(StrategyPart, name="fedyogi", server="server.strategies.fedyogi:FedYogi"):
    """Yogi on the server (Reddi et al. 2021, algorithm 2).

    Flower begins with v = 0, where the paper has v₋₁ ≥ τ².
    """

    only_mean: ClassVar[bool] = True

    eta: float = key("The server's learning rate.", 0.01, unit="none", gt=0)
    beta_1: float = key("Decay of the mean of changes.", 0.9, unit="none", ge=0, lt=1)
    beta_2: float = key("Decay of the mean of their squares.", 0.99, unit="none", ge=0, lt=1)
    tau: float = key("Added to the root: how adaptive it is, small being more.", 1e-3, unit="none", gt=0)
