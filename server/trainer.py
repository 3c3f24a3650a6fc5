"""What trains a run's clients, and where: the same on every host, recorded, and not changed when it is resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from common.devices import NO_CARD
from common.errors import InputError
from common.scenario import Scenario
from common.scenario.trainers import NOT_BUILT, TrainerName, trainer_for, uncovered
from common.scenario.training import Training
from server.exchange.federation import Federation


@dataclass(frozen=True)
class TrainerChoice:
    """What was chosen, and why."""

    name: TrainerName
    device: Literal["cpu", "cuda"]
    """Where it trains."""
    identity: str
    """What a checkpoint belongs to: with another one the bits are others."""
    facts: dict[str, str]
    """What summary.json says of it."""
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Events to tell."""


def choose(scenario: Scenario, federation: Federation, before: str | None) -> TrainerChoice:
    """The trainer of a run, from what all of its hosts have of the compiled trainer and of cards.

    `before` is the identity of the trainer of the rounds that a resumed run has behind it.

    Raises InputError where the scenario wants what a host does not have, or where another trainer trained so far.
    """
    compiled, device = federation.compiled, _device(scenario.training, federation)
    training = scenario.training.model_copy(update={"device": device})
    parts = (scenario.model, training, scenario.federation.strategy)
    name, beyond = trainer_for(*parts, compiled), uncovered(*parts)
    if name == "compiled" and not compiled:
        raise InputError(f"expected auto or torch: {NOT_BUILT}", "training.trainer")
    identity = f"{name} on {', '.join(federation.cards)}" if device == "cuda" else name
    if before not in (None, identity):
        raise InputError(
            f"this run used the trainer {before}; the trainer {identity} gives different bits; "
            "pass --allow-changes to resume anyway",
            "training.trainer",
        )
    facts: dict[str, str] = {"engine": name, "device": device}
    if device == "cuda":
        facts["card"] = ", ".join(federation.cards)
    if beyond:
        facts["engine_reason"] = f"{beyond} needs it"
    missing = scenario.training.trainer == "auto" and not compiled and beyond is None
    notes = [("no compiled trainer", {"reason": NOT_BUILT})] if missing else []
    return TrainerChoice(name, device, identity, facts, notes)


def _device(training: Training, federation: Federation) -> Literal["cpu", "cuda"]:
    """Where a run's clients are trained. Raises InputError where a worker lacks the card that it asks for."""
    cards = federation.cards
    if training.device == "cpu" or (training.device == "auto" and (not all(cards) or len(cards) > 1)):
        return "cpu"
    if not all(cards):
        reason = "some workers have no card that PyTorch can use by CUDA" if any(cards) else NO_CARD
        raise InputError(f"expected cpu or auto: {reason}", "training.device")
    if len(cards) > 1 and federation.owners is None:
        # Which of them trains whom is chance.
        raise InputError(
            f"expected cards of one kind, not {' and '.join(cards)}; choose with --gpus", "training.device"
        )
    return "cuda"
