"""`model:` the network that every client trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import FilePath, Part, key

Width = Annotated[int, Field(ge=1, le=65536)]


class Model(Part):
    """A multilayer perceptron; its input and output widths follow from the data."""

    from_: FilePath | None = key(
        "Start from the weights of an earlier run: its folder, an archive of it or a model.safetensors. "
        "Layers, activation and dtype are then its own.",
        None,
        alias="from",
    )
    layers: tuple[Width, ...] = key(
        "Widths of the hidden layers, in order; an empty list is a linear model.", (64, 32), unit="units", strict=False
    )
    activation: Literal["relu"] = key("What follows each hidden layer.", "relu")
    dtype: Literal["float32", "float64"] = key("Number format of weights and arithmetic.", "float32")
