"""FedNova: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.data import Data
from common.scenario.model import Model
from common.scenario.strategy import StrategyPart
from common.scenario.training import Training


class FedNova(
    StrategyPart,
    name="fednova",
    server="common.methods.fednova.server:FedNova",
    client="common.methods.fednova.client:FedNova",
    compiled=True,
):
    """Each client's change is divided by how far it could go, so that more steps count no more (Wang et al. 2020)."""

    weighting: ClassVar[Literal["examples", "clients", "custom"]] = "custom"

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """An adaptive optimizer's change is not normalized by its steps."""
        if not training.optimizer.linear:
            return (
                "training.optimizer",
                f"sgd, momentum or averaged_momentum with fednova: the steps of {training.optimizer.name} are no "
                "weighted sums of gradients, which is what it normalizes by",
            )
        return None
