"""What a client needs to know of a scenario: sent with every message, so that a host needs no copy of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from pydantic_core import from_json

from common.scenario.base import Part, key
from common.scenario.evaluation import Evaluation
from common.scenario.model import Model
from common.scenario.privacy import Privacy
from common.scenario.scenario import Scenario
from common.scenario.strategy import Strategy
from common.scenario.trainers import TrainerName
from common.scenario.training import Training
from common.scenario.uses import Use, Uses, find_uses, named_only


class ClientSettings(Part):
    """The settings of all clients; what differs between clients travels beside it as vectors."""

    uses: Uses = key("What the scenario uses beside built-in parts: names and SHA-256, never code.", (), strict=False)
    seed: int = key("The scenario's seed.")
    model: Model = key("The network.")
    training: Training = key("What each client does.")
    strategy: Strategy = key("How replies are used; clients do their half of it.")
    privacy: Privacy | None = key("Whether changes are clipped, and all clients count alike.", None)
    evaluation: Evaluation = key("How models are measured.")
    rounds: int = key("How many rounds the run has.")

    @property
    def keeps_state(self) -> bool:
        """Whether clients keep something from one round to the next."""
        strategy = self.strategy
        return self.training.optimizer_state == "client" or strategy.keeps_state or strategy.keeps_networks

    @property
    def weighting(self) -> Literal["examples", "clients", "custom"]:
        """What a client's weights count for in sums: its training examples, all alike, or what its algorithm says."""
        return self.strategy.weighting if self.privacy is None else "clients"

    def with_trainer(self, trainer: TrainerName, device: Literal["cpu", "cuda"] = "cpu") -> ClientSettings:
        """The same settings with a trainer and a device that are no longer for each host to choose."""
        chosen = {"trainer": trainer, "device": device}
        return self.model_copy(update={"training": self.training.model_copy(update=chosen)})

    @classmethod
    def of(cls, scenario: Scenario) -> ClientSettings:
        """The settings that the scenario's clients are sent."""
        return cls(
            uses=named_only(scenario.uses),
            seed=scenario.seed,
            model=scenario.model,
            training=scenario.training,
            strategy=scenario.federation.strategy,
            privacy=scenario.federation.privacy,
            evaluation=scenario.evaluation,
            rounds=scenario.federation.rounds,
        )


@lru_cache(maxsize=64)
def read_settings(text: str) -> ClientSettings:
    """The settings in a message's JSON; remembered, since every message of a run brings the same.

    What the scenario uses is loaded from what this machine has. Raises InputError where that is missing or another.
    """
    wanted = [Use.model_validate(use) for use in from_json(text).get("uses", [])]
    with find_uses(wanted).active():
        return ClientSettings.model_validate_json(text)
