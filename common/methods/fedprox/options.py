"""FedProx: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class FedProx(
    StrategyPart,
    name="fedprox",
    server="common.methods.flower.server:fedprox",
    client="common.methods.fedprox.client:FedProx",
    compiled=True,
):
    """FedAvg whose clients are held near the global weights (Li et al. 2020, algorithm 2)."""

    only_mean: ClassVar[bool] = True

    mu: float = key("μ of the term (μ/2)‖θ − θ_global‖² in each client's loss.", 0.01, unit="none", ge=0)
