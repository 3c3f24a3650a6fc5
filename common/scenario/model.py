"""`model:` the network that every client trains."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.scenario.activations import Activation, Relu
from common.scenario.base import FilePath, Part, expecting, key, refuse
from common.scenario.initializations import Default, Initialization
from common.scenario.normalizations import NoNormalization, Normalization

MOST_WEIGHTS = 1 << 30
"""In all layers together: in float32 4 GiB, and as much again for gradients."""

Width = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Rates = Annotated[
    Rate | Annotated[tuple[Rate, ...], Field(strict=False)],
    expecting("a number of at least 0 and below 1, or a list of one for each hidden layer"),
]


class Model(
    Part,
    compiled=("from_", "layers", "activation", "output", "initialization", "normalization", "dropout", "input_dropout"),
):
    """A multilayer perceptron; its input and output widths follow from the data.

    A hidden layer is a dense layer, its normalization, its activation and its dropout.
    """

    from_: FilePath | None = key(
        "Start from the weights of an earlier run: its folder, an archive of it or a model.safetensors. "
        "What the network is made of is then its own.",
        None,
        alias="from",
    )
    layers: tuple[Width, ...] = key(
        "Widths of the hidden layers, in order; an empty list is a linear model.", (64, 32), unit="units", strict=False
    )
    activation: Activation = key("What follows each hidden layer.", Relu())
    output: Literal["auto", "softmax", "sigmoid", "linear"] = key(
        "What the last layer's numbers mean: auto takes softmax for classification and linear for regression.", "auto"
    )
    initialization: Initialization = key("How weights are drawn before round 1.", Default())
    normalization: Normalization = key("What normalizes hidden layers.", NoNormalization())
    dropout: Rates = key(
        "The share of a hidden layer's units that is dropped in each training step, the others scaled up to make good "
        "for it: one number for all hidden layers, or a list.",
        0.0,
        unit="fraction",
    )
    input_dropout: Rate = key("The same for the network's inputs.", 0.0, unit="fraction")
    drop_connect: Rate = key(
        "The share of each dense layer's weights that is dropped in each training step, the others scaled up.",
        0.0,
        unit="fraction",
    )
    dtype: Literal["float32", "float64"] = key("Number format of weights and arithmetic.", "float32")

    @property
    def dropouts(self) -> tuple[float, ...]:
        """The dropout rate of each hidden layer."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * len(self.layers)

    @model_validator(mode="after")
    def _bearable(self) -> Model:
        weights = sum(before * after for before, after in itertools.pairwise(self.layers))
        if weights > MOST_WEIGHTS:
            raise refuse("layers", f"at most {MOST_WEIGHTS:,} weights, not {weights:,} between hidden layers")
        return self

    @model_validator(mode="after")
    def _a_rate_for_each_layer(self) -> Model:
        if len(self.dropouts) != len(self.layers):
            raise refuse("dropout", f"one number, or a list of {len(self.layers)}: one for each hidden layer")
        return self
