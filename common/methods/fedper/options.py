"""FedPer: what a scenario can choose of it."""

from __future__ import annotations

from common.scenario.base import key
from common.scenario.strategy import PersonalLayersPart


class FedPer(
    PersonalLayersPart,
    name="fedper",
    server="common.methods.flower.server:fedavg",
):
    """FedAvg of the first layers; the last ones are each client's own (Arivazhagan et al. 2019, algorithms 1 and 2).

    W_B ← Σ nₖ W_B,ₖ / Σ nₖ (algorithm 1, line 6); the personal layers W_P,ₖ are in no sum. The paper starts them at
    random; here all clients start them alike.
    """

    personal_layers: int = key(
        "K_P: so many of the dense layers, the last ones, are each client's own, with what normalizes them.",
        1,
        unit="layers",
        ge=0,
    )
