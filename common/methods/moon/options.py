"""MOON: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.data import Data
from common.scenario.model import MLPModel, Model
from common.scenario.strategy import StrategyPart
from common.scenario.training import Training


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

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """Only a network whose last hidden layer is known has features."""
        return (
            None
            if isinstance(model, MLPModel)
            else ("model.name", "mlp with moon, which compares its last hidden layers")
        )

    mu: float = key("μ of the contrastive term in each client's loss.", 1.0, unit="none", ge=0)
    temperature: float = key("τ by which similarities are divided.", 0.5, unit="none", gt=0)
