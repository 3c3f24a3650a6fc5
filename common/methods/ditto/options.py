"""Ditto: what a scenario can choose of it."""

from __future__ import annotations

from common.scenario.base import key
from common.scenario.strategy import PersonalPart


class Ditto(
    PersonalPart,
    name="ditto",
    server="common.methods.flower.server:fedavg",
    client="common.methods.ditto.client:Ditto",
    compiled=True,
):
    """FedAvg, and beside it a model of each client's own that is held near the global one (Li et al. 2021).

    The server averages as in FedAvg: θ ← Σ nₖ θₖ / Σ nₖ (line 8).
    """

    lambda_: float = key(
        "λ of the term (λ/2)‖v − θ_global‖² in the loss of a client's own model v.",
        0.1,
        unit="none",
        ge=0,
        alias="lambda",
    )
