"""What trains a run's clients: the same on every host, recorded, and not changed when the run is resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.errors import InputError
from common.messages import Compiled
from common.scenario import Scenario
from common.scenario.trainers import NOT_BUILT, TrainerName, trainer_for, uncovered

_SEPARATE = "compiled without fused multiply-add"


@dataclass(frozen=True)
class TrainerChoice:
    """What was chosen, and why."""

    name: TrainerName
    fused: bool
    """Whether the compiled trainer rounds a product and the sum it joins together."""
    identity: str
    """What a checkpoint belongs to: with another one the bits are others."""
    facts: dict[str, str]
    """What summary.json says of it."""
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Events to tell."""


def choose(scenario: Scenario, compiled: Compiled, before: str | None) -> TrainerChoice:
    """The trainer of a run on hosts which all have the compiled trainer in this form, or do not have it.

    `before` is the identity of the trainer of the rounds that a resumed run has behind it. A processor with fused
    multiply-add can do without, so a run that began without goes on so.

    Raises InputError where the scenario wants what a host does not have, or where another trainer trained so far.
    """
    parts = (scenario.model, scenario.training, scenario.federation.strategy)
    name, beyond = trainer_for(*parts, compiled != "none"), uncovered(*parts)
    if name == "compiled" and compiled == "none":
        raise InputError(f"expected auto or torch: {NOT_BUILT}", "training.trainer")
    fused = compiled == "fused" and before != _SEPARATE
    identity = _SEPARATE if name == "compiled" and not fused else name
    if before not in (None, identity):
        raise InputError(
            f"this run used the trainer {before}; the trainer {identity} gives different bits; "
            "pass --allow-changes to resume anyway",
            "training.trainer",
        )
    facts: dict[str, str] = {"engine": name}
    if name == "compiled":
        facts["multiply_add"] = "fused" if fused else "separate"
    if beyond:
        facts["engine_reason"] = f"{beyond} needs it"
    missing = scenario.training.trainer == "auto" and compiled == "none" and beyond is None
    return TrainerChoice(
        name, fused, identity, facts, [("no compiled trainer", {"reason": NOT_BUILT})] if missing else []
    )
