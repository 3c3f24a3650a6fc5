"""A convolutional network for images."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from common.errors import InputError
from common.scenario.base import key
from common.scenario.model import ModelPart, NetworkData, Width

if TYPE_CHECKING:
    from torch import nn


class Cnn(ModelPart, name="cnn"):
    """Convolutions, each with ReLU and 2×2 max pooling, then dense layers (as LeNet-5, LeCun et al. 1998).

    With the defaults and 28×28 images it is the CNN of McMahan et al. 2017 (section 3): 1,663,370 parameters.
    """

    channels: tuple[Width, ...] = key("Channels of the convolutions.", (32, 64), unit="channels", strict=False)
    kernel: Annotated[int, Field(ge=1, le=31)] = key("Their height and width, an odd number.", 5, unit="pixels")
    layers: tuple[Width, ...] = key("Widths of the dense layers before the last.", (512,), unit="units", strict=False)

    def build(self, data: NetworkData) -> nn.Module:
        """The module. Raises InputError for what are no images, or too small ones."""
        from torch import nn

        if len(data.shape) != 3:
            raise InputError(f"cnn takes images; examples here are {data.shape[0]} numbers", "model.name")
        channels, height, width = data.shape
        widest = 2 ** len(self.channels)
        if min(height, width) < widest:
            told = f"at most {min(height, width).bit_length() - 1} for images of {height}×{width}, which each halves"
            raise InputError(f"expected {told}", "model.channels")
        layers: list[nn.Module] = []
        for before, after in pairwise((channels, *self.channels)):
            layers += [nn.Conv2d(before, after, self.kernel, padding=self.kernel // 2), nn.ReLU(), nn.MaxPool2d(2)]
        layers.append(nn.Flatten())
        flat = (self.channels or (channels,))[-1] * (height // widest) * (width // widest)
        *hidden, last = pairwise((flat, *self.layers, data.outputs))
        for before, after in hidden:
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(*last))
