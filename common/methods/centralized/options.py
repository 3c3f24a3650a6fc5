"""Centralized training, for comparison."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.strategy import StrategyPart


class Centralized(
    StrategyPart,
    name="centralized",
    server="common.methods.flower.server:fedavg",
):
    """The upper bound: the examples of a round's clients are trained on in one place, as if they were one client's.

    With `clients_per_round: 1.0` it is training on all the data, a round being as many epochs or steps as a client's.
    """

    pooled: ClassVar[bool] = True
