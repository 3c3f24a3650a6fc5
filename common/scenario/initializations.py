"""How weights are drawn before round 1: one class for each `model.initialization.name`.

Apart from PyTorch's default, which draws biases too, biases start at zero.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import Named, Part, key


class Default(Part):
    """PyTorch's own: weights and biases uniform within ±1/√inputs."""

    name: Literal["default"] = key("As torch.nn.Linear does.", "default")


class Zeros(Part):
    """All zero; with hidden layers the symmetry between their units is never broken."""

    name: Literal["zeros"] = key("All zero.", "zeros")


class Normal(Part):
    """Normal with a given standard deviation."""

    name: Literal["normal"] = key("Normal(0, std²).", "normal")
    std: float = key("Standard deviation.", 0.01, unit="none", gt=0)


class XavierUniform(Part):
    """Uniform within ±gain·√(6 / (inputs + outputs)) (Glorot and Bengio 2010, equation 16)."""

    name: Literal["xavier_uniform"] = key("Xavier, or Glorot, uniform.", "xavier_uniform")
    gain: float = key("Multiplies the range.", 1.0, unit="none", gt=0)


class XavierNormal(Part):
    """Normal with variance gain²·2 / (inputs + outputs) (Glorot and Bengio 2010, equation 12)."""

    name: Literal["xavier_normal"] = key("Xavier, or Glorot, normal.", "xavier_normal")
    gain: float = key("Multiplies the deviation.", 1.0, unit="none", gt=0)


class HeUniform(Part):
    """Uniform with variance 2 / ((1 + slope²)·inputs) (He et al. 2015, equation 15; slope of the leaky ReLU)."""

    name: Literal["he_uniform"] = key("He, or Kaiming, uniform.", "he_uniform")


class HeNormal(Part):
    """Normal with variance 2 / ((1 + slope²)·inputs) (He et al. 2015, equation 15; slope of the leaky ReLU)."""

    name: Literal["he_normal"] = key("He, or Kaiming, normal.", "he_normal")


class Orthogonal(Part):
    """A random orthogonal matrix (Saxe et al. 2013)."""

    name: Literal["orthogonal"] = key("Orthogonal rows or columns.", "orthogonal")
    gain: float = key("Multiplies the matrix.", 1.0, unit="none", gt=0)


Initialization = Annotated[
    Default | Zeros | Normal | XavierUniform | XavierNormal | HeUniform | HeNormal | Orthogonal,
    Field(discriminator="name"),
    Named("name"),
]

INITIALIZATIONS: tuple[type[Part], ...] = (
    Default,
    Zeros,
    Normal,
    XavierUniform,
    XavierNormal,
    HeUniform,
    HeNormal,
    Orthogonal,
)
