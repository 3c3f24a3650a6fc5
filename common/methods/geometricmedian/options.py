"""The geometric median: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class GeometricMedian(
    StrategyPart,
    name="geometricmedian",
    server="common.methods.geometricmedian.server:GeometricMedian",
):
    """The weights with the least sum of distances to the clients', by their examples (Pillutla et al. 2022, RFA)."""

    needs_client_updates: ClassVar[bool] = True
    robust: ClassVar[bool] = True

    iterations: int = key(
        "The most steps of the smoothed Weiszfeld algorithm; an event tells of a round that needed more.",
        1000,
        unit="steps",
        ge=1,
    )
    tolerance: float = key(
        "It stops where the norm of the gradient of the mean distance, between 0 and 1, is at most this. The mean "
        "distance is then within twice this share of the least.",
        1e-6,
        unit="none",
        gt=0,
    )
    smoothing: float = key("ν: distances below count as this.", 1e-6, unit="none", gt=0)
