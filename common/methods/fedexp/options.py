"""FedExP: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class FedExP(
    StrategyPart,
    name="fedexp",
    server="common.methods.fedexp.server:FedExP",
    client="common.methods.fedexp.client:FedExP",
    compiled=True,
):
    """FedAvg that goes further where clients disagree, by extrapolation (Jhunjhunwala et al. 2023, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    weighting: ClassVar[Literal["examples", "clients", "custom"]] = "clients"

    eps: float = key("ε beside ‖mean change‖² in the step's denominator.", 1e-3, unit="none", ge=0)
