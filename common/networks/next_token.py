"""A network that tells which token of a document comes next from the tokens before it (Bengio et al. 2003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import model_validator

from common.scenario.activations import Activation, Relu
from common.scenario.base import key, refuse
from common.scenario.model import ModelPart, NetworkData, Rate, Width

if TYPE_CHECKING:
    from torch import nn


class NextToken(ModelPart, name="next_token"):
    """Embeddings of the last tokens side by side, dense layers, a softmax over the tokens (Bengio et al. 2003)."""

    generates: ClassVar[bool] = True
    reads_tokens: ClassVar[bool] = True

    context: Width = key("How many tokens before a position are seen.", 32, unit="tokens")
    embedding: Width = key("Numbers for each token, and for each header value in force.", 24, unit="numbers")
    layers: tuple[Width, ...] = key(
        "Widths of the hidden layers, in order; an empty list is a linear model.", (256,), unit="units", strict=False
    )
    activation: Activation = key("What follows each hidden layer.", Relu())
    dropout: Rate = key(
        "The share of a hidden layer's units that is dropped in each training step.", 0.0, unit="fraction"
    )

    def build(self, data: NetworkData) -> nn.Module:
        """The module."""
        from common.models.next_token import NextToken as Module

        return Module(
            tokens=data.classes,
            headers=data.categories,
            context=self.context,
            embedding=self.embedding,
            layers=self.layers,
            activation=self.activation.function(),
            dropout=self.dropout,
        )

    @model_validator(mode="after")
    def _no_output(self) -> NextToken:
        if self.output != "auto":
            raise refuse("output", "it left out: next_token gives a softmax over the tokens")
        return self
