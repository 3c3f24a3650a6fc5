"""What follows each hidden layer: one class for each `model.activation.name`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import Part, key
from common.scenario.registry import Family

ACTIVATIONS: Family[ActivationPart] = Family("activations", in_steps=True)


class ActivationPart(Part):
    """What follows a hidden layer."""

    family: ClassVar[Family[ActivationPart]] = ACTIVATIONS

    name: str = ""


class Relu(ActivationPart, name="relu", compiled=True, runs="common.models.activations:relu"):
    """max(0, z); like PyTorch, the derivative at 0 is 0."""


class LeakyRelu(ActivationPart, name="leaky_relu", compiled=True, runs="common.models.activations:leaky_relu"):
    """z where it is positive, else slope·z."""

    slope: float = key("The slope for negative z.", 0.01, unit="none", ge=0)


class Tanh(ActivationPart, name="tanh", compiled=True, runs="common.models.activations:tanh"):
    """Hyperbolic tangent; its derivative is 1 − tanh²."""


class Sigmoid(ActivationPart, name="sigmoid", compiled=True, runs="common.models.activations:sigmoid"):
    """1 / (1 + e⁻ᶻ)."""


class Gelu(ActivationPart, name="gelu", compiled=True, runs="common.models.activations:gelu"):
    """z·Φ(z), Φ the normal distribution function (Hendrycks and Gimpel 2016), computed exactly."""


class Silu(ActivationPart, name="silu", compiled=True, runs="common.models.activations:silu"):
    """z·sigmoid(z) (Elfwing et al. 2017)."""


Activation = Annotated[ActivationPart, ACTIVATIONS]
