"""FedRep: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategy import PersonalLayersPart


class FedRep(
    PersonalLayersPart,
    name="fedrep",
    server="common.methods.flower.server:fedavg",
    client="common.methods.fedrep.client:FedRep",
    compiled=True,
):
    """FedPer whose clients train their last layers first and then the others (Collins et al. 2021, algorithm 1).

    φ ← (1/rn) Σ φᵢ over the rn clients of the round (server update); the global model's head stays as it began.
    """

    weighting: ClassVar[Literal["examples", "clients"]] = "clients"

    personal_layers: int = key(
        "So many of the dense layers, the last ones, are each client's own, with what normalizes them.",
        1,
        unit="layers",
        ge=1,
    )
    head_epochs: int = key(
        "τ: how often a client goes through its examples to train its own layers, before it trains the others as "
        "`training` says.",
        10,
        unit="epochs",
        ge=1,
    )
