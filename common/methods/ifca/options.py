"""IFCA: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class IFCA(
    StrategyPart,
    name="ifca",
    server="common.methods.ifca.server:IFCA",
    client="common.methods.ifca.client:IFCA",
    compiled=True,
):
    """Several global models; each client trains the one with the least loss (Ghosh et al. 2020, algorithm 1)."""

    outcome: ClassVar[Literal["global", "own"]] = "own"
    weighting: ClassVar[Literal["examples", "clients"]] = "clients"

    clusters: int = key(
        "k: how many global models there are. The first starts as the scenario's model does, the others are drawn "
        "anew; each client goes with the one whose loss on its training examples is least.",
        2,
        unit="models",
        ge=1,
    )

    @property
    def sums(self) -> tuple[str, ...]:
        """The weights of each cluster's members."""
        return tuple(f"cluster.{cluster}" for cluster in range(self.clusters))
