"""How weights are drawn before round 1: one class for each `model.initialization.name`.

Apart from PyTorch's default, which draws biases too, biases start at zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

from common.scenario.base import Part, key
from common.scenario.registry import Family

if TYPE_CHECKING:
    from torch import Generator, Tensor

INITIALIZATIONS: Family[InitializationPart] = Family("initializations")


class InitializationPart(Part):
    """How weights are drawn."""

    family: ClassVar[Family[InitializationPart]] = INITIALIZATIONS

    name: str = ""

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """Draw a dense layer's weights, float32 of shape (outputs, inputs); `slope` is the activation's for z < 0."""
        raise NotImplementedError

    def fill_bias(self, bias: Tensor, inputs: int, generator: Generator) -> None:
        """Draw its biases, (outputs,): zeros."""
        bias.zero_()


def _fill_uniform(tensor: Tensor, inputs: int, generator: Generator) -> None:
    """Uniform within ±1/√inputs."""
    bound = 1 / math.sqrt(inputs)
    tensor.uniform_(-bound, bound, generator=generator)


class Default(InitializationPart, name="default"):
    """PyTorch's own: weights and biases uniform within ±1/√inputs."""

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """As torch.nn.Linear draws."""
        _fill_uniform(weight, weight.shape[1], generator)

    def fill_bias(self, bias: Tensor, inputs: int, generator: Generator) -> None:
        """As torch.nn.Linear draws."""
        _fill_uniform(bias, inputs, generator)


class Zeros(InitializationPart, name="zeros"):
    """All zero; with hidden layers the symmetry between their units is never broken."""

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """All zero."""
        weight.zero_()


class Normal(InitializationPart, name="normal"):
    """Normal with a given standard deviation."""

    std: float = key("Standard deviation.", 0.01, unit="none", gt=0)

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """Normal(0, std²)."""
        weight.normal_(0.0, self.std, generator=generator)


class XavierUniform(InitializationPart, name="xavier_uniform"):
    """Uniform within ±gain·√(6 / (inputs + outputs)) (Glorot and Bengio 2010, equation 16)."""

    gain: float = key("Multiplies the range.", 1.0, unit="none", gt=0)

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """Glorot and Bengio 2010, equation 16."""
        from torch.nn import init

        init.xavier_uniform_(weight, self.gain, generator)


class XavierNormal(InitializationPart, name="xavier_normal"):
    """Normal with variance gain²·2 / (inputs + outputs) (Glorot and Bengio 2010, equation 12)."""

    gain: float = key("Multiplies the deviation.", 1.0, unit="none", gt=0)

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """Glorot and Bengio 2010, equation 12."""
        from torch.nn import init

        init.xavier_normal_(weight, self.gain, generator)


class HeUniform(InitializationPart, name="he_uniform"):
    """Uniform with variance 2 / ((1 + slope²)·inputs) (He et al. 2015, equation 15; slope of the leaky ReLU)."""

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """He et al. 2015, equation 15, uniform."""
        from torch.nn import init

        init.kaiming_uniform_(weight, slope, generator=generator)


class HeNormal(InitializationPart, name="he_normal"):
    """Normal with variance 2 / ((1 + slope²)·inputs) (He et al. 2015, equation 15; slope of the leaky ReLU)."""

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """He et al. 2015, equation 15, normal."""
        from torch.nn import init

        init.kaiming_normal_(weight, slope, generator=generator)


class Orthogonal(InitializationPart, name="orthogonal"):
    """A random orthogonal matrix (Saxe et al. 2013)."""

    gain: float = key("Multiplies the matrix.", 1.0, unit="none", gt=0)

    def fill(self, weight: Tensor, slope: float, generator: Generator) -> None:
        """Saxe et al. 2013."""
        from torch.nn import init

        init.orthogonal_(weight, self.gain, generator)


Initialization = Annotated[InitializationPart, INITIALIZATIONS]
