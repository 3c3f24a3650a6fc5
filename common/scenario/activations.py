"""What follows each hidden layer: one class for each `model.activation.name`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import Named, Part, key


class Relu(Part):
    """max(0, z); like PyTorch, the derivative at 0 is 0."""

    name: Literal["relu"] = key("Rectified linear unit.", "relu")


class LeakyRelu(Part):
    """z where it is positive, else slope·z."""

    name: Literal["leaky_relu"] = key("Leaky rectified linear unit.", "leaky_relu")
    slope: float = key("The slope for negative z.", 0.01, unit="none", ge=0)


class Tanh(Part):
    """Hyperbolic tangent; its derivative is 1 − tanh²."""

    name: Literal["tanh"] = key("Hyperbolic tangent.", "tanh")


class Sigmoid(Part):
    """1 / (1 + e⁻ᶻ)."""

    name: Literal["sigmoid"] = key("Logistic sigmoid.", "sigmoid")


class Gelu(Part):
    """z·Φ(z), Φ the normal distribution function (Hendrycks and Gimpel 2016), computed exactly."""

    name: Literal["gelu"] = key("Gaussian error linear unit.", "gelu")


class Silu(Part):
    """z·sigmoid(z) (Elfwing et al. 2017)."""

    name: Literal["silu"] = key("Sigmoid linear unit, also called swish.", "silu")


Activation = Annotated[Relu | LeakyRelu | Tanh | Sigmoid | Gelu | Silu, Field(discriminator="name"), Named("name")]

ACTIVATIONS: tuple[type[Part], ...] = (Relu, LeakyRelu, Tanh, Sigmoid, Gelu, Silu)
