"""What everything that talks to clients in a run needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from common.data import Prepared
from common.data.data_spec import DataSpec
from common.evaluation import Evaluator
from common.scenario import Scenario
from common.settings import ClientSettings
from server.exchange.federation import Federation
from server.exchange.sending import Exchange


@dataclass(frozen=True)
class RunContext:
    """A run that is about to begin: its clients, the way to them, and what they were told."""

    scenario: Scenario
    prepared: Prepared
    federation: Federation
    exchange: Exchange
    data_spec: DataSpec
    settings: ClientSettings

    @cached_property
    def settings_text(self) -> str:
        """The settings as every message has them."""
        return self.settings.model_dump_json()

    @cached_property
    def evaluator(self) -> Evaluator:
        """Measures models of the scenario."""
        return Evaluator(self.settings, self.data_spec)

    @property
    def blocks(self) -> int:
        """How many blocks clients are cut into at most."""
        return self.scenario.federation.blocks
