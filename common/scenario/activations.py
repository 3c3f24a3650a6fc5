"""What follows each hidden layer: one class for each `model.activation.name`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from common.scenario.base import Part, key
from common.scenario.registry import Family

if TYPE_CHECKING:
    # Reading options does without PyTorch; a function imports it when it is made.
    from torch import Tensor

    Function = Callable[[Tensor], Tensor]

ACTIVATIONS: Family[ActivationPart] = Family("activations", in_steps=True)


class ActivationPart(Part):
    """What follows a hidden layer."""

    family: ClassVar[Family[ActivationPart]] = ACTIVATIONS

    name: str = ""

    def function(self) -> Function:
        """What it makes of a layer's outputs, number by number."""
        raise NotImplementedError


class Relu(ActivationPart, name="relu", compiled=True):
    """max(0, z); like PyTorch, the derivative at 0 is 0."""

    def function(self) -> Function:
        """max(0, z)."""
        import torch

        return torch.relu


class LeakyRelu(ActivationPart, name="leaky_relu", compiled=True):
    """z where it is positive, else slope·z."""

    slope: float = key("The slope for negative z.", 0.01, unit="none", ge=0)

    def function(self) -> Function:
        """z where it is positive, else slope·z."""
        from torch.nn import functional

        return partial(functional.leaky_relu, negative_slope=self.slope)


class Tanh(ActivationPart, name="tanh", compiled=True):
    """Hyperbolic tangent; its derivative is 1 − tanh²."""

    def function(self) -> Function:
        """Hyperbolic tangent."""
        import torch

        return torch.tanh


class Sigmoid(ActivationPart, name="sigmoid", compiled=True):
    """1 / (1 + e⁻ᶻ)."""

    def function(self) -> Function:
        """1 / (1 + e⁻ᶻ)."""
        import torch

        return torch.sigmoid


class Gelu(ActivationPart, name="gelu", compiled=True):
    """z·Φ(z), Φ the normal distribution function (Hendrycks and Gimpel 2016), computed exactly."""

    def function(self) -> Function:
        """z·Φ(z)."""
        from torch.nn import functional

        return functional.gelu


class Silu(ActivationPart, name="silu", compiled=True):
    """z·sigmoid(z) (Elfwing et al. 2017)."""

    def function(self) -> Function:
        """z·sigmoid(z)."""
        from torch.nn import functional

        return functional.silu


Activation = Annotated[ActivationPart, ACTIVATIONS]
