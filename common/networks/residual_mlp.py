"""A residual network of dense layers, for tables and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.scenario.base import key
from common.scenario.model import ModelPart, NetworkData, Width

if TYPE_CHECKING:
    from torch import nn


class ResidualMLP(ModelPart, name="residual_mlp"):
    """x ← x + W₂ ReLU(W₁ LN(x)), block after block, between two dense layers (after He et al. 2016, pre-activation)."""

    width: Width = key("Width of the residual path.", 64, unit="units")
    blocks: int = key("How many blocks.", 2, unit="blocks", ge=1, le=100)

    def build(self, data: NetworkData) -> nn.Module:
        """The module; images are taken as vectors."""
        import math

        from torch import Tensor, nn

        class Block(nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.norm, self.inner, self.outer = (
                    nn.LayerNorm(width),
                    nn.Linear(width, width),
                    nn.Linear(width, width),
                )

            def forward(self, x: Tensor) -> Tensor:
                update: Tensor = self.outer(self.inner(self.norm(x)).relu())
                return x + update

        blocks = [Block(self.width) for _ in range(self.blocks)]
        first, last = nn.Linear(math.prod(data.shape), self.width), nn.Linear(self.width, data.outputs)
        return nn.Sequential(nn.Flatten(), first, *blocks, nn.LayerNorm(self.width), last)
