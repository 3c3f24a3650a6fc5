"""How likely an example is, given a decoder's outputs."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

from common.errors import InputError
from common.scenario.model import NetworkData


class Likelihood(nn.Module):
    """p(x | outputs), number by number.

    The numbers of an example are Bernoulli or Gaussian. A table has the 0/1 features of its categories behind them,
    of which the group of each column is one softmax, and then its indicators of missing values, Bernoulli each.
    """

    regularized = False
    """σ is no weight: no penalty or decay acts on it."""
    log_sigma: Tensor

    def __init__(
        self,
        data: NetworkData,
        kind: Literal["auto", "bernoulli", "gaussian"],
        binarize: Literal["threshold", "sampled"] | None,
        sigma: float | Literal["learned"],
    ) -> None:
        """The options are those of `DenseAutoencoder`.

        Raises InputError for a likelihood that the data does not have.
        """
        super().__init__()
        features = math.prod(data.shape)
        self.numbers = features - sum(data.categories) - data.indicators
        self.sizes = [self.numbers, *data.categories, data.indicators]
        """The widths of the numbers, of each group of categories, and of the indicators."""
        table = bool(data.categories or data.indicators)
        natural = "bernoulli" if data.unit_range and not table else "gaussian"
        chosen = natural if kind == "auto" else kind
        if chosen == "bernoulli" and natural != "bernoulli":
            raise InputError("expected gaussian: the examples have numbers beyond 0 and 1", "model.likelihood")
        if chosen == "gaussian" and binarize is not None:
            raise InputError(
                "expected it left out: the examples have numbers beyond 0 and 1, and are gaussian", "model.binarize"
            )
        self.bernoulli, self.binarize = chosen == "bernoulli", binarize
        # Buffers are averaged like weights, so what is fixed is a number.
        self.fixed_log_sigma = 0.0 if isinstance(sigma, str) else math.log(sigma)
        if chosen == "gaussian" and sigma == "learned":
            self.log_sigma = nn.Parameter(torch.zeros(1))
        self.in_nats = not self.bernoulli or self.binarize is not None
        """Whether it is a likelihood: that of grey values as probabilities is none."""

    @property
    def uniforms(self) -> int:
        """How many uniform numbers `target` takes for an example."""
        return self.numbers if self.binarize == "sampled" else 0

    def target(self, x: Tensor, uniforms: Tensor) -> Tensor:
        """What is encoded, and what outputs are compared with: x (examples, features)."""
        if self.binarize is None:
            return x
        return (x > (uniforms if self.binarize == "sampled" else 0.5)).to(x.dtype)

    def sigma(self) -> Tensor | float:
        """The standard deviation of numbers."""
        return self.log_sigma.exp() if "log_sigma" in self._parameters else math.exp(self.fixed_log_sigma)

    def negative_log(self, outputs: Tensor, x: Tensor) -> Tensor:
        """−log p(x | outputs), (examples,): outputs and x (examples, features)."""
        z, target = (torch.split(one, self.sizes, dim=-1) for one in (outputs, x))
        if self.bernoulli:
            found = binary_cross_entropy_with_logits(z[0], target[0], reduction="none").sum(dim=-1)
        else:
            learned = "log_sigma" in self._parameters
            log_sigma = self.log_sigma if learned else z[0].new_full((1,), self.fixed_log_sigma)
            scaled = (target[0] - z[0]) * torch.exp(-log_sigma)
            constant = self.numbers * 0.5 * math.log(2 * math.pi)
            found = 0.5 * scaled.square().sum(dim=-1) + self.numbers * log_sigma + constant
        for logits, one in zip(z[1:-1], target[1:-1], strict=True):
            # A category that is missing is none of them, and costs nothing.
            found = found - (log_softmax(logits, dim=-1) * one).sum(dim=-1)
        if self.sizes[-1]:
            found = found + binary_cross_entropy_with_logits(z[-1], target[-1], reduction="none").sum(dim=-1)
        return found

    def mean(self, outputs: Tensor) -> Tensor:
        """E(x | outputs): means of numbers, and probabilities, (…, features)."""
        z = torch.split(outputs, self.sizes, dim=-1)
        numbers = z[0].sigmoid() if self.bernoulli else z[0]
        return torch.cat([numbers, *(one.softmax(dim=-1) for one in z[1:-1]), z[-1].sigmoid()], dim=-1)
