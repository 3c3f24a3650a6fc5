"""`model:` the network that every client trains: one class for each `model.name`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from common.scenario.activations import Activation, Relu
from common.scenario.base import FilePath, Part, expecting, key, refuse
from common.scenario.initializations import Default, Initialization
from common.scenario.normalizations import NoNormalization, Normalization
from common.scenario.registry import Family
from common.tasks import Task

if TYPE_CHECKING:
    # Reading options does without PyTorch; a network imports it when it is built.
    from torch import nn

MOST_WEIGHTS = 1 << 30
"""In all layers together: in float32 4 GiB, and as much again for gradients."""

Width = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Rates = Annotated[
    Rate | Annotated[tuple[Rate, ...], Field(strict=False)],
    expecting("a number of at least 0 and below 1, or a list of one for each hidden layer"),
]

MODELS: Family[ModelPart] = Family("models", in_steps=True, default="mlp", declared_in="common.networks.*")


@dataclass(frozen=True)
class NetworkData:
    """What a network is built for."""

    shape: tuple[int, ...]
    """Of one example: (channels, height, width) of an image, else (features,)."""
    outputs: int
    """How many numbers the network gives for an example."""
    task: Task
    classes: int = 0
    """How many classes the examples are labelled with; 0 in a regression."""
    categories: tuple[int, ...] = ()
    """The sizes of a table's categories: 0/1 features behind its numbers, a group of so many for each column."""
    indicators: int = 0
    """How many 0/1 features stand last and say where a value is missing."""
    unit_range: bool = False
    """Whether all numbers of an example lie between 0 and 1."""


class ModelPart(Part):
    """A network. One of your own is made by `build`; the others train as well as the built-in one."""

    family: ClassVar[Family[ModelPart]] = MODELS
    generates: ClassVar[bool] = False
    """Whether it learns the examples themselves and not their labels: its module brings a loss, and makes new ones."""

    reads_tokens: ClassVar[bool] = False
    """Whether it learns which token of a document comes next; it then has a key `context`, of how many it sees."""

    name: str = ""
    from_: FilePath | None = key(
        "Start from the weights of an earlier run: its folder, an archive of it or a model.safetensors. "
        "What the network is made of is then its own. A network that is no mlp also starts from any .safetensors file "
        "with arrays of its names.",
        None,
        alias="from",
    )
    strict: bool = key(
        "Whether such a file must have all of the network's arrays in their shapes and no others; where it need not, "
        "arrays that it lacks keep the weights drawn for them, which is told.",
        True,
    )
    output: Literal["auto", "softmax", "sigmoid", "linear"] = key(
        "What the last layer's numbers mean: auto takes softmax for classification and linear for regression.", "auto"
    )
    frozen: tuple[str, ...] = key(
        "The children of the network, by name, whose weights are not trained.", (), strict=False
    )
    dtype: Literal["float32", "float64"] = key("Number format of weights and arithmetic.", "float32")

    def build(self, data: NetworkData) -> nn.Module:
        """The module: examples (n, *data.shape) → (n, data.outputs), logits for a classification.

        PyTorch's, NumPy's and Python's global generators are set from the run's seed meanwhile.
        """
        raise NotImplementedError


class MLPModel(
    ModelPart,
    name="mlp",
    compiled=(
        "from_",
        "strict",
        "layers",
        "activation",
        "output",
        "initialization",
        "normalization",
        "dropout",
        "input_dropout",
        "drop_connect",
        "frozen",
    ),
):
    """A multilayer perceptron; its input and output widths follow from the data.

    A hidden layer is a dense layer, its normalization, its activation and its dropout.
    """

    layers: tuple[Width, ...] = key(
        "Widths of the hidden layers, in order; an empty list is a linear model.", (64, 32), unit="units", strict=False
    )
    activation: Activation = key("What follows each hidden layer.", Relu())
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

    @property
    def dropouts(self) -> tuple[float, ...]:
        """The dropout rate of each hidden layer."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * len(self.layers)

    @model_validator(mode="after")
    def _bearable(self) -> MLPModel:
        weights = sum(before * after for before, after in itertools.pairwise(self.layers))
        if weights > MOST_WEIGHTS:
            raise refuse("layers", f"at most {MOST_WEIGHTS:,} weights, not {weights:,} between hidden layers")
        return self

    @model_validator(mode="after")
    def _a_rate_for_each_layer(self) -> MLPModel:
        if len(self.dropouts) != len(self.layers):
            raise refuse("dropout", f"one number, or a list of {len(self.layers)}: one for each hidden layer")
        return self


Model = Annotated[ModelPart, MODELS]
