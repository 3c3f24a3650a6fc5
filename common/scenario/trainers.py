"""`training.trainer`: which trainer works, and what of a scenario the compiled one does not do."""

from __future__ import annotations

from typing import Literal

from common.scenario.base import Part
from common.scenario.model import MLPModel, Model
from common.scenario.strategy import StrategyPart
from common.scenario.training import Training

TrainerName = Literal["compiled", "torch"]

LARGEST_NORMALIZED_BATCH = 128
"""The compiled trainer normalizes batches of up to so many examples."""

NOT_BUILT = (
    "the compiled trainer was not built when Hothouse was installed here, so PyTorch trains, several times slower; "
    "with a C compiler (gcc or clang) at hand, install Hothouse again"
)


def uncovered(model: Model, training: Training, strategy: StrategyPart) -> str | None:
    """The part of a scenario that only PyTorch trains; None where the compiled trainer does all of it.

    Decided by the scenario alone, so that every host decides alike, and by what is allowed: a part must declare that
    the compiled trainer heeds it, and clients do what a strategy asks of them beyond plain training with PyTorch.
    """
    if "client" in strategy.halves and strategy.compiled is not True:
        return f"federation.strategy {strategy.name}"
    if training.device == "cuda":
        return "training.device cuda"
    return _beyond_choice(model, "model") or _beyond(training, "training") or _large_batches(model, training)


def _large_batches(model: Model, training: Training) -> str | None:
    """Batch normalization sees a batch as a whole, which the compiled trainer does as far as one fits its cache."""
    if not isinstance(model, MLPModel) or model.normalization.name != "batch" or not model.layers:
        return None
    if training.batch_size == "full" or training.batch_size > LARGEST_NORMALIZED_BATCH:
        return f"model.normalization batch with training.batch_size above {LARGEST_NORMALIZED_BATCH}"
    return None


def _beyond(part: Part, path: str) -> str | None:
    """The first key of a part, or of the parts in it, that the compiled trainer does not heed."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        below = f"{path}.{field.alias or name}"
        if not _heeds(part, name) and value != field.default:
            return f"{below} {value}" if isinstance(value, str) else below
        for one in value if isinstance(value, tuple) else (value,):
            found = _beyond_choice(one, below) if isinstance(one, Part) else None
            if found is not None:
                return found
    return None


def _beyond_choice(part: Part, path: str) -> str | None:
    if part.part_name and not part.family.in_steps:
        return None
    if part.part_name and part.compiled is False:
        return f"{path} {part.part_name}"
    return _beyond(part, path)


def _heeds(part: Part, name: str) -> bool:
    return part.compiled if isinstance(part.compiled, bool) else name in part.compiled


def trainer_for(model: Model, training: Training, strategy: StrategyPart, built: bool) -> TrainerName:
    """The trainer that works where the compiled one is built, or is not."""
    if training.trainer == "auto":
        return "compiled" if built and uncovered(model, training, strategy) is None else "torch"
    return training.trainer
