"""What a federation is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from common.scenario.strategies.base import StrategyPart
from common.scenario.strategies.personal import PersonalPart


class Centralized(StrategyPart, name="centralized", server="server.strategies.centralized:Centralized"):
    """The upper bound: the rows of a round's clients are trained on in one place, as if they were one client's.

    With `clients_per_round: 1.0` it is training on all the data, a round being as many epochs or steps as a client's.
    """

    pooled: ClassVar[bool] = True


class Local(PersonalPart, name="local", server="server.strategies.local:Local"):
    """The lower bound: every client trains on alone, from round to round, and nothing is averaged.

    There is no global model to measure: metrics are those of the clients' own models on their held-out rows.
    """

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """All."""
        return list(arrays)
