"""Local training only, for comparison."""

from __future__ import annotations

from collections.abc import Iterable

from common.scenario.data import Data
from common.scenario.model import Model
from common.scenario.strategy import PersonalPart
from common.scenario.training import Training


class Local(
    PersonalPart,
    name="local",
    server="common.methods.local.server:Local",
):
    """The lower bound: every client trains on alone, from round to round, and nothing is averaged.

    There is no global model to measure: metrics are those of the clients' own models on their held-out examples.
    """

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """All."""
        return list(arrays)

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """There is no global model to measure."""
        if not data.client_holdout:
            return "data.client_holdout", "examples to measure local models on: a fraction above 0"
        return None
