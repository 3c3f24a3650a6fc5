"""What a client needs to know of a scenario: sent with every message, so that a host needs no copy of it."""

from __future__ import annotations

from functools import lru_cache

from common.scenario.base import Part, key
from common.scenario.model import Model
from common.scenario.scenario import Scenario
from common.scenario.training import Training


class ClientSettings(Part):
    """The settings of all clients; what differs between clients travels beside it as vectors."""

    seed: int = key("The scenario's seed.")
    model: Model = key("The network.")
    training: Training = key("What each client does.")
    batch_size: int = key("Rows evaluated at once.")

    @property
    def keeps_state(self) -> bool:
        """Whether clients keep something from one round to the next."""
        return self.training.optimizer_state == "client"

    @classmethod
    def of(cls, scenario: Scenario) -> ClientSettings:
        """The settings that the scenario's clients are sent."""
        return cls(
            seed=scenario.seed,
            model=scenario.model,
            training=scenario.training,
            batch_size=scenario.evaluation.batch_size,
        )


@lru_cache(maxsize=64)
def read_settings(text: str) -> ClientSettings:
    """The settings in a message's JSON; remembered, since every message of a run brings the same."""
    return ClientSettings.model_validate_json(text)
