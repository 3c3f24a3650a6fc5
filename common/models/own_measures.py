"""A loss and metrics that a module brings itself, as generative models do: `loss(batch)` and `metrics(batch)`.

What a module draws it says by the attributes `normals` and `uniforms`, so many numbers of each example. They are drawn
for it from a stream of the example's own: the same whoever is trained together, and at every evaluation.
"""

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
    normals: Tensor
    """Standard normal numbers, (examples, module.normals); 0 where nothing is drawn."""
    uniforms: Tensor
    """Uniform numbers between 0 and 1, (examples, module.uniforms); ½ where nothing is drawn."""


class OwnMeasures:
    """A module's loss and metrics."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, *inputs: Tensor, metrics: bool) -> dict[str, Tensor]:
        """Each example's loss and, where they are wanted, metrics, by name: (examples,) each.

        `inputs` are those of NetworkBatch. Where metrics have a `loss`, that is the plain loss, and `objective` what
        training minimizes.
        """
        module: Any = self.module
        batch = NetworkBatch(*inputs)
        found = dict(module.metrics(batch)) if metrics and has(module, "metrics") else {}
        if "loss" not in found:
            found = {"loss": module.loss(batch), **found}
        return found

    def draws(self) -> tuple[int, int]:
        """How many normal and uniform numbers it takes for each example, in training or in use, as it is switched."""
        return int(getattr(self.module, "normals", 0)), int(getattr(self.module, "uniforms", 0))

    def check(self, name: str, *inputs: Tensor, metrics: bool) -> list[str]:
        """The names of what it measures. Raises InputError for what is not a number for each example."""
        x, found = inputs[0], self(*inputs, metrics=metrics)
        for what, values in found.items():
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            if shape != (len(x),):
                raise InputError(
                    f"{name}: its {what} for {len(x)} examples is {shape}; expected ({len(x)},), one for each", "model"
                )
            if not what.isidentifier():
                raise InputError(f"{name}: its metric {what!r} is not named like a column, such as elbo", "model")
        return list(found)


def has(module: nn.Module, method: str) -> bool:
    """Whether a module has a method of this name, and not a child."""
    found = getattr(module, method, None)
    return callable(found) and not isinstance(found, nn.Module)
