"""What a network's own `features`, a method or a child, makes of a batch: kept in the pass that calls it."""

from __future__ import annotations

from types import MethodType
from typing import Any

from torch import Tensor, nn

_KEPT = "_hothouse_features"


def keep_features(module: nn.Module) -> bool:
    """Have a module keep what its `features`, a method or a child, makes of a batch in a pass; False without one."""
    features = getattr(module, "features", None)
    if isinstance(features, nn.Module):
        # The parent is found again in a copy by what a copy copies.
        features.register_forward_hook(MethodType(_keep_output, module))
        return True
    if callable(features):
        module.__dict__["features"] = MethodType(_features_kept, module)
        return True
    return False


def _keep_output(self: nn.Module, child: nn.Module, inputs: Any, output: Tensor) -> None:
    self.__dict__[_KEPT] = output


def _features_kept(self: Any, *arguments: Any) -> Tensor:
    found: Tensor = type(self).features(self, *arguments)
    self.__dict__[_KEPT] = found
    return found


def take_features(module: nn.Module) -> Tensor | None:
    """What the pass before has kept; None where its forward did not call `features`."""
    found: Tensor | None = module.__dict__.pop(_KEPT, None)
    return found
