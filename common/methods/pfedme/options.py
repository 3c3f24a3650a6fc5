"""pFedMe: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategy import PersonalPart


class PFedMe(
    PersonalPart,
    name="pfedme",
    server="common.methods.pfedme.server:PFedMe",
    client="common.methods.pfedme.client:PFedMe",
    compiled=True,
):
    """Personal models that are proximal points of local ones, which are averaged (Dinh et al. 2020, algorithm 1)."""

    weighting: ClassVar[Literal["examples", "clients"]] = "clients"

    lambda_: float = key(
        "λ of the term (λ/2)‖θ − w‖² that holds a client's own model θ near its local one w.",
        15.0,
        unit="none",
        gt=0,
        alias="lambda",
    )
    inner_steps: int = key(
        "K: how many steps of the optimizer find θ on each batch, each with `training.optimizer.lr`.",
        5,
        unit="steps",
        ge=1,
    )
    lr: float = key("η of w ← w − η λ (w − θ) after each batch.", 0.005, unit="none", gt=0)
    beta: float = key("β: how far the global weights go towards the mean of the local ones.", 1.0, unit="none", gt=0)
