"""Training settings as the clients of a stack have them: one number for all, or a vector of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from common.scenario.training import Training


def with_own_settings(training: Training, vectors: Mapping[str, Tensor]) -> Training:
    """The settings with a tensor (stack,) in place of each that clients have a number of their own for.

    `vectors` has them by dotted key, such as `optimizer.lr`; `Training.own_settings` says which there may be.
    """
    changes: dict[str, dict[str, Any]] = {}
    for key, vector in vectors.items():
        part, _, name = key.rpartition(".")
        changes.setdefault(part, {})[name] = vector
    below = {part: getattr(training, part).model_copy(update=numbers) for part, numbers in changes.items() if part}
    return training.model_copy(update=changes.get("", {}) | below)
