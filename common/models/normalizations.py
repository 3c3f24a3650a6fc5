"""What normalizes hidden layers: for each `model.normalization` its two forms.

A form is a module for one network, and the same computation for a stack of networks at once.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Normalization(Protocol):
    """One hidden layer's normalization."""

    parameters: tuple[str, ...]
    """The names of its parameters, each of shape (units,)."""
    buffers: tuple[str, ...]
    """The names of its running statistics, each of shape (units,)."""

    def module(self, units: int, dtype: torch.dtype) -> nn.Module:
        """The module for one network: rows (…, units)."""
        ...

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """For many networks: x (stack, rows, units), weights and statistics (stack, units) by name.

        `shares` is None outside training. In training it holds each row's share of its network's batch,
        (stack, rows), 0 for padding, and running statistics are moved in place.
        """
        ...


class BatchNorm:
    """μ, σ² over a batch; x̂ = (x − μ)/√(σ² + ε); y = γx̂ + β (Ioffe and Szegedy 2015, algorithm 1)."""

    parameters: tuple[str, ...] = ("weight", "bias")
    buffers: tuple[str, ...] = ("running_mean", "running_var")

    def __init__(self, spec: Any) -> None:
        self._momentum, self._eps = spec.momentum, spec.eps

    def module(self, units: int, dtype: torch.dtype) -> nn.Module:
        """torch.nn.BatchNorm1d without its counter of batches."""
        return _Uncounted(units, self._eps, self._momentum, dtype=dtype)

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """Statistics of each network's own batch in training, else the running ones."""
        if shares is None:
            mean, variance = weights["running_mean"], weights["running_var"]
        else:
            mean = torch.bmm(shares.unsqueeze(1), x).squeeze(1)
            variance = torch.bmm(shares.unsqueeze(1), (x - mean.unsqueeze(1)) ** 2).squeeze(1)
            self._move(weights, mean, variance, shares)
        scale = weights["weight"] * torch.rsqrt(variance + self._eps)
        return (x - mean.unsqueeze(1)) * scale.unsqueeze(1) + weights["bias"].unsqueeze(1)

    @torch.no_grad()
    def _move(self, weights: dict[str, Tensor], mean: Tensor, variance: Tensor, shares: Tensor) -> None:
        """Running statistics as PyTorch moves them: the variance with n − 1 in place of n."""
        rows = (shares > 0).sum(dim=1, keepdim=True).to(mean.dtype)
        several = rows > 1
        unbiased = variance * rows / (rows - 1).clamp(min=1)
        for name, value in (("running_mean", mean), ("running_var", unbiased)):
            weights[name].lerp_(torch.where(several, value, weights[name]), self._momentum)


def is_variance(buffer: str) -> bool:
    """Whether a network's buffer of this name holds variances, which are never negative."""
    return buffer.endswith("running_var")


class _Uncounted(nn.BatchNorm1d):
    """Batch normalization without a counter of batches, which a fixed momentum does not use."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.num_batches_tracked = None

    def _load_from_state_dict(self, *arguments: Any) -> None:
        # PyTorch's own would miss the counter and add one.
        nn.Module._load_from_state_dict(self, *arguments)


class LayerNorm:
    """x̂ = (x − μ)/√(σ² + ε) over a row's units; y = γx̂ + β (Ba et al. 2016, equation 3)."""

    parameters: tuple[str, ...] = ("weight", "bias")
    buffers: tuple[str, ...] = ()

    def __init__(self, spec: Any) -> None:
        self._eps = spec.eps

    def module(self, units: int, dtype: torch.dtype) -> nn.Module:
        """torch.nn.LayerNorm."""
        return nn.LayerNorm(units, self._eps, dtype=dtype)

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """Each row by itself."""
        normal = F.layer_norm(x, x.shape[-1:], eps=self._eps)
        return torch.addcmul(weights["bias"].unsqueeze(1), normal, weights["weight"].unsqueeze(1))
