"""What normalizes a hidden layer before its activation: one class for each `model.normalization.name`.

Each has two forms: a module for one network, and the same computation for a stack of networks at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from common.scenario.base import Part, key
from common.scenario.registry import Family

if TYPE_CHECKING:
    # Reading options does without PyTorch; a network imports it when it is built.
    import torch
    from torch import Tensor, nn

NORMALIZATIONS: Family[NormalizationPart] = Family("normalizations", in_steps=True)


class NormalizationPart(Part):
    """What normalizes a hidden layer."""

    family: ClassVar[Family[NormalizationPart]] = NORMALIZATIONS
    parameters: ClassVar[tuple[str, ...]] = ()
    """The names of its parameters, each of shape (units,)."""
    buffers: ClassVar[tuple[str, ...]] = ()
    """The names of its running statistics, each of shape (units,)."""

    name: str = ""

    def module(self, units: int, dtype: torch.dtype) -> nn.Module | None:
        """The module for one network: (…, units) → (…, units); None for nothing."""
        raise NotImplementedError

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """For many networks: x (stack, examples, units), weights and statistics (stack, units) by name.

        `shares` is None outside training. In training it holds each example's share of its network's batch,
        (stack, examples), 0 for padding, and running statistics are moved in place.
        """
        raise NotImplementedError


class NoNormalization(NormalizationPart, name="none", compiled=True):
    """Nothing: the activation sees the dense layer's outputs."""

    def module(self, units: int, dtype: torch.dtype) -> None:
        """None."""

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """`x` itself."""
        return x


class BatchNorm(NormalizationPart, name="batch", compiled=True):
    """Batch normalization (Ioffe and Szegedy 2015, algorithm 1); its dense layer has no bias.

    In a batch of one example, which has no spread, it gives its shift, and leaves the running statistics alone.
    """

    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias")
    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")

    momentum: float = key("Share of a batch in the running statistics.", 0.1, unit="fraction", gt=0, le=1)
    eps: float = key("Added to the variance.", 1e-5, unit="none", gt=0)
    statistics: Literal["averaged", "recomputed"] = key(
        "What the global model is used with: averaged takes the mean of the clients' running statistics, each "
        "client counting as the strategy counts it: by its examples, alike (scaffold, feddyn, fedexp) or by examples "
        "over steps (fednova); robust strategies take their own rule. recomputed gathers the exact ones of the new "
        "global weights, as sums over the cohort's training examples, layer after layer.",
        "averaged",
    )

    def module(self, units: int, dtype: torch.dtype) -> nn.Module:
        """torch.nn.BatchNorm1d without its counter of batches, which a fixed momentum does not use."""
        from common.compat.torch import UncountedBatchNorm

        return UncountedBatchNorm(units, self.eps, self.momentum, dtype=dtype)

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """x̂ = (x − μ)/√(σ² + ε); y = γx̂ + β (Ioffe and Szegedy 2015, algorithm 1).

        μ and σ² are those of each network's batch in training, else the running ones.
        """
        if shares is None:
            mean, variance = weights["running_mean"], weights["running_var"]
        else:
            mean = shares.unsqueeze(1).bmm(x).squeeze(1)
            variance = shares.unsqueeze(1).bmm((x - mean.unsqueeze(1)) ** 2).squeeze(1)
            self._move(weights, mean.detach(), variance.detach(), shares)
        scale = weights["weight"] * (variance + self.eps).rsqrt()
        return (x - mean.unsqueeze(1)) * scale.unsqueeze(1) + weights["bias"].unsqueeze(1)

    def _move(self, weights: dict[str, Tensor], mean: Tensor, variance: Tensor, shares: Tensor) -> None:
        """Running statistics as PyTorch moves them: the variance with n − 1 in place of n."""
        examples = (shares > 0).sum(dim=1, keepdim=True).to(mean.dtype)
        several = examples > 1
        unbiased = variance * examples / (examples - 1).clamp(min=1)
        for name, value in (("running_mean", mean), ("running_var", unbiased)):
            weights[name].lerp_(value.where(several, weights[name]), self.momentum)


class LayerNorm(NormalizationPart, name="layer", compiled=True):
    """Layer normalization (Ba et al. 2016, equation 3): over each example's units."""

    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias")

    eps: float = key("Added to the variance.", 1e-5, unit="none", gt=0)

    def module(self, units: int, dtype: torch.dtype) -> nn.Module:
        """torch.nn.LayerNorm."""
        from torch import nn

        return nn.LayerNorm(units, self.eps, dtype=dtype)

    def stacked(self, x: Tensor, weights: dict[str, Tensor], shares: Tensor | None) -> Tensor:
        """x̂ = (x − μ)/√(σ² + ε) over an example's units; y = γx̂ + β (Ba et al. 2016, equation 3)."""
        import torch
        from torch.nn import functional

        normal = functional.layer_norm(x, x.shape[-1:], eps=self.eps)
        return torch.addcmul(weights["bias"].unsqueeze(1), normal, weights["weight"].unsqueeze(1))


Normalization = Annotated[NormalizationPart, NORMALIZATIONS]
