"""Training settings as the clients of a stack have them: one number for all, or a vector of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from common.extend.client import Number, along
from common.scenario.training import Training


class Values:
    """Looks settings up by dotted key: the message's vectors first, then the scenario's scalars."""

    def __init__(self, training: Training, vectors: Mapping[str, Tensor]) -> None:
        self._training = training
        self._vectors = vectors

    def __getitem__(self, key: str) -> Any:
        """A number for every client, or a tensor (stack,) of each client's own."""
        if key in self._vectors:
            return self._vectors[key]
        value: Any = self._training
        for part in key.split("."):
            value = getattr(value, part)
        return value

    def used(self, key: str) -> bool:
        """Whether the setting is anything but zero for some client."""
        value = self[key]
        return bool((value != 0).any()) if isinstance(value, Tensor) else bool(value)


def descend(weight: Tensor, direction: Tensor, length: Number, active: int) -> None:
    """weight ← weight − length·direction, in place: tensors (active, …)."""
    by = along(length, active, weight)
    if isinstance(by, Tensor):
        weight.addcmul_(direction, by, value=-1)
    else:
        weight.add_(direction, alpha=-by)
