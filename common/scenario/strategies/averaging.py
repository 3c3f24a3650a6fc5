"""Averaging the clients' weights."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategies.base import StrategyPart


class FedAvg(StrategyPart, name="fedavg", server="server.strategies.fedavg:FedAvg"):
    """Federated averaging (McMahan et al. 2017): the mean of the clients' weights, by their rows."""

    only_mean: ClassVar[bool] = True


class FedProx(
    StrategyPart,
    name="fedprox",
    server="server.strategies.fedprox:FedProx",
    client="clients.algorithms.fedprox:FedProx",
):
    """FedAvg whose clients are held near the global weights (Li et al. 2020, algorithm 2)."""

    only_mean: ClassVar[bool] = True

    mu: float = key("μ of the term (μ/2)‖θ − θ_global‖² in each client's loss.", 0.01, unit="none", ge=0)
