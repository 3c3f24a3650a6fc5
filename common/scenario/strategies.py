"""How replies become the next global weights: one class for each `federation.strategy.name`."""

from __future__ import annotations

from typing import Annotated, Literal

from common.scenario.base import Named, Part, key


class FedAvg(Part):
    """Federated averaging (McMahan et al. 2017): the mean of the clients' weights, by their rows."""

    name: Literal["fedavg"] = key("Federated averaging.", "fedavg")


Strategy = Annotated[FedAvg, Named("name")]

STRATEGIES: tuple[type[Part], ...] = (FedAvg,)
