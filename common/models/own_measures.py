"""A loss and metrics that a module brings itself, as generative models do: `loss(batch)` and `metrics(batch)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from common.errors import InputError


@dataclass(frozen=True)
class NetworkBatch:
    """What a module's own loss and metrics look at."""

    x: Tensor
    """Examples as its forward takes them, (examples, *data.shape)."""
    y: Tensor
    """Their class codes, (examples,), or their targets, (examples, targets)."""


class OwnMeasures(nn.Module):
    """A module's loss and metrics as a module, whose arrays have its names behind `module.`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, y: Tensor, metrics: bool) -> dict[str, Tensor]:
        """Each example's loss and, where they are wanted, metrics, by name: (examples,) each."""
        module: Any = self.module
        batch = NetworkBatch(x, y)
        return {"loss": module.loss(batch), **(module.metrics(batch) if metrics and has(module, "metrics") else {})}

    def check(self, name: str, x: Tensor, y: Tensor) -> tuple[str, ...]:
        """The names of the metrics. Raises InputError for what is not a number for each example."""
        found = self(x, y, True)
        for what, values in found.items():
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            if shape != (len(x),):
                raise InputError(
                    f"{name}: its {what} for {len(x)} examples is {shape}; expected ({len(x)},), one for each", "model"
                )
            if not what.isidentifier():
                raise InputError(f"{name}: its metric {what!r} is not named like a column, such as elbo", "model")
        return tuple(what for what in found if what != "loss")


def has(module: nn.Module, method: str) -> bool:
    """Whether a module has a method of this name, and not a child."""
    found = getattr(module, method, None)
    return callable(found) and not isinstance(found, nn.Module)
