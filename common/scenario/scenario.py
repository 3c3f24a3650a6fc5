"""The scenario: everything that decides the outcome of a run, in one frozen value."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from common.scenario.base import Part, key, refuse
from common.scenario.checkpoints import Checkpoints
from common.scenario.data import Data
from common.scenario.evaluation import Evaluation
from common.scenario.federation import Federation
from common.scenario.model import Model
from common.scenario.training import Training


class Scenario(Part):
    """A Hothouse scenario."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = key(
        "A name for the run's folder: letters, digits, dot, dash and underscore.", "run"
    )
    seed: int = key("Every random draw follows from it.", 0, unit="none", ge=0, lt=2**63)
    data: Data = key("Where the rows come from, what is held out and who gets which.")
    model: Model = key("The network that every client trains.", Model())
    training: Training = key("What each client does with its shard.", Training())
    federation: Federation = key("What the server does.", Federation())
    evaluation: Evaluation = key("When and on what the global model is measured.", Evaluation())
    checkpoints: Checkpoints = key("How often the run's state is saved.", Checkpoints())

    @model_validator(mode="after")
    def _fits(self) -> Scenario:
        clients, cohort = self.data.partition.clients, self.federation.clients_per_round
        if isinstance(cohort, int) and cohort > clients:
            raise refuse(
                "federation.clients_per_round",
                f"at most the {clients} clients of data.partition.clients (or 1.0 for all)",
            )
        if self.federation.min_clients > cohort_size(cohort, clients):
            raise refuse(
                "federation.min_clients", f"at most the {cohort_size(cohort, clients)} clients of a round's cohort"
            )
        return self


def cohort_size(clients_per_round: int | float, clients: int) -> int:
    """How many of `clients` a round selects: an integer is the number, a decimal a fraction, at least one."""
    if isinstance(clients_per_round, int):
        return clients_per_round
    return max(1, round(clients_per_round * clients))
