"""`training.engine`: which trainer works, and what of a scenario the compiled one does not do."""

from __future__ import annotations

from typing import Literal

from common.scenario.model import Model
from common.scenario.strategies import StrategyPart
from common.scenario.training import Training

Engine = Literal["compiled", "torch"]

NOT_BUILT = (
    "the compiled trainer was not built when Hothouse was installed here, so PyTorch trains, several times slower; "
    "with a C compiler (gcc or clang) at hand, install Hothouse again"
)


def uncovered(model: Model, training: Training, strategy: StrategyPart) -> str | None:
    """The part of a scenario that only PyTorch trains; None where the compiled trainer does all of it.

    Decided by the scenario alone, so that every host decides alike.
    """
    rules = training.regularization
    beyond = {
        f"model.dtype {model.dtype}": model.dtype != "float32",
        f"model.normalization {model.normalization.name}": model.normalization.name != "none",
        "model.drop_connect": model.drop_connect > 0,
        "training.regularization.l1_budget": rules.l1_budget is not None,
        "training.regularization.l2_budget": rules.l2_budget is not None,
        "training.mixup": training.mixup is not None,
        "training.early_stopping": training.early_stopping is not None,
        f"federation.strategy {getattr(strategy, 'name', '')}": not strategy.plain_clients,
    }
    return next((part for part, used in beyond.items() if used), None)


def engine_for(model: Model, training: Training, strategy: StrategyPart, built: bool) -> Engine:
    """The engine that trains where the compiled one is built, or is not."""
    if training.engine == "auto":
        return "compiled" if built and uncovered(model, training, strategy) is None else "torch"
    return training.engine
