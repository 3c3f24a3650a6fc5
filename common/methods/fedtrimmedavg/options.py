"""The trimmed mean: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class FedTrimmedAvg(
    StrategyPart,
    name="fedtrimmedavg",
    server="common.methods.fedtrimmedavg.server:FedTrimmedAvg",
):
    """The mean of each coordinate without its extremes, whatever the clients' examples (Yin et al. 2018)."""

    needs_client_updates: ClassVar[bool] = True
    robust: ClassVar[bool] = True

    beta: float = key(
        "The share of clients that is left out at either end; to hold, at least the share of malicious ones.",
        0.2,
        unit="fraction",
        ge=0,
        lt=0.5,
    )
