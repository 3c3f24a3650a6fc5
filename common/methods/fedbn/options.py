"""FedBN: what a scenario can choose of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from common.scenario.strategy import PersonalPart


class FedBN(
    PersonalPart,
    name="fedbn",
    server="common.methods.flower.server:fedavg",
):
    """FedAvg of all but batch normalization, which is each client's own (Li et al. 2021, algorithm 1).

    θ_l ← (1/K) Σ θ_l,ₖ for every layer l that is no batch normalization (the last line). Clients keep theirs,
    parameters and running statistics; those of the global model stay as they began.
    """

    weighting: ClassVar[Literal["examples", "clients"]] = "clients"

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """Those of batch normalizations, which are told by their running statistics."""
        names = list(arrays)
        norms = tuple(name.removesuffix("running_mean") for name in names if name.endswith(".running_mean"))
        return [name for name in names if name.startswith(norms)] if norms else []
