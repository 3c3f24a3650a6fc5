"""MOON: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class Moon(
    StrategyPart,
    name="moon",
    server="common.methods.flower.server:fedavg",
    client="common.methods.moon.client:Moon",
):
    """Clients' features are drawn to the global network's and away from their own old ones (Li et al. 2021).

    The server averages as in FedAvg: θ ← Σ nₖ θₖ / Σ nₖ (lines 9 and 10).
    """

    keeps_state: ClassVar[bool] = True
    only_mean: ClassVar[bool] = True
    needs_features: ClassVar[bool] = True

    mu: float = key("μ of the contrastive term in each client's loss.", 1.0, unit="none", ge=0)
    temperature: float = key("τ by which similarities are divided.", 0.5, unit="none", gt=0)
