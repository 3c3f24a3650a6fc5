"""How weights are drawn before round 1: one class for each `model.initialization.name`.

Apart from PyTorch's default, which draws biases too, biases start at zero.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import Part, key
from common.scenario.registry import Family

INITIALIZATIONS: Family[InitializationPart] = Family("initializations")


class InitializationPart(Part):
    """How weights are drawn."""

    family: ClassVar[Family[InitializationPart]] = INITIALIZATIONS

    name: str = ""


class Default(InitializationPart, name="default", runs="common.models.initializations:default"):
    """PyTorch's own: weights and biases uniform within ±1/√inputs."""


class Zeros(InitializationPart, name="zeros", runs="common.models.initializations:zeros"):
    """All zero; with hidden layers the symmetry between their units is never broken."""


class Normal(InitializationPart, name="normal", runs="common.models.initializations:normal"):
    """Normal with a given standard deviation."""

    std: float = key("Standard deviation.", 0.01, unit="none", gt=0)


class XavierUniform(InitializationPart, name="xavier_uniform", runs="common.models.initializations:xavier_uniform"):
    """Uniform within ±gain·√(6 / (inputs + outputs)) (Glorot and Bengio 2010, equation 16)."""

    gain: float = key("Multiplies the range.", 1.0, unit="none", gt=0)


class XavierNormal(InitializationPart, name="xavier_normal", runs="common.models.initializations:xavier_normal"):
    """Normal with variance gain²·2 / (inputs + outputs) (Glorot and Bengio 2010, equation 12)."""

    gain: float = key("Multiplies the deviation.", 1.0, unit="none", gt=0)


class HeUniform(InitializationPart, name="he_uniform", runs="common.models.initializations:he_uniform"):
    """Uniform with variance 2 / ((1 + slope²)·inputs) (He et al. 2015, equation 15; slope of the leaky ReLU)."""


class HeNormal(InitializationPart, name="he_normal", runs="common.models.initializations:he_normal"):
    """Normal with variance 2 / ((1 + slope²)·inputs) (He et al. 2015, equation 15; slope of the leaky ReLU)."""


class Orthogonal(InitializationPart, name="orthogonal", runs="common.models.initializations:orthogonal"):
    """A random orthogonal matrix (Saxe et al. 2013)."""

    gain: float = key("Multiplies the matrix.", 1.0, unit="none", gt=0)


Initialization = Annotated[InitializationPart, INITIALIZATIONS]
