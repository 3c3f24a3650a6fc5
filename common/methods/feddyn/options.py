"""FedDyn: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class FedDyn(
    StrategyPart,
    name="feddyn",
    server="common.methods.feddyn.server:FedDyn",
    client="common.methods.feddyn.client:FedDyn",
    compiled=True,
):
    """Clients' losses are corrected so that their minima and the global one agree (Acar et al. 2021, algorithm 1).

    All clients of a round count alike, as in the paper.
    """

    keeps_state: ClassVar[bool] = True
    weighting: ClassVar[Literal["examples", "clients", "custom"]] = "clients"

    alpha: float = key("α of the term (α/2)‖θ − θ_global‖² in each client's loss.", 0.1, unit="none", gt=0)
