"""Dense layers of a stack of networks, with gradients that lie in memory as the weights do."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function


def stacked_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A dense layer of each network: x (stack, examples, in), weight (stack, out, in), bias (stack, out).

    Returns (stack, examples, out).
    """
    if len(x) == 1:
        # The same product, without the batched kernel's overhead.
        return F.linear(x.squeeze(0), weight.squeeze(0), None if bias is None else bias.squeeze(0)).unsqueeze(0)
    found: Tensor = _StackedLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return found


class _StackedLinear(Function):
    """PyTorch's own gradient of a batched product is transposed, and a step with it takes up to ten times as long."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x·Wᵀ + b for each network."""
        if bias is None:
            return torch.bmm(x, weight.mT)
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what gradients need."""
        ctx.save_for_backward(inputs[0], inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Gradients for x, weight and bias."""
        (x, weight), (gradient,), (for_x, for_weight, for_bias) = ctx.saved_tensors, gradients, ctx.needs_input_grad
        return (
            torch.bmm(gradient, weight) if for_x else None,
            torch.bmm(gradient.mT, x) if for_weight else None,
            gradient.sum(dim=1) if for_bias else None,
        )


class _Linear(Function):
    """`torch.nn.functional.linear`; under `torch.func.vmap` over its weights it is `stacked_linear`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x·Wᵀ + b."""
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what gradients need."""
        ctx.save_for_backward(inputs[0], inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Gradients for x, weight and bias."""
        (x, weight), (gradient,) = ctx.saved_tensors, gradients
        rows = gradient.reshape(-1, gradient.shape[-1])
        for_bias = rows.sum(dim=0) if ctx.needs_input_grad[2] else None
        return gradient @ weight, rows.mT @ x.reshape(-1, x.shape[-1]), for_bias

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, int]:
        """All networks at once."""
        x, weight, *rest = (
            one.expand(info.batch_size, *one.shape) if dim is None else one.movedim(dim, 0)
            for one, dim in zip((x, weight, bias), in_dims, strict=True)
            if one is not None
        )
        rows = x.reshape(len(x), -1, x.shape[-1])
        found = stacked_linear(rows, weight, rest[0] if rest else None)
        return found.view(*x.shape[:-1], found.shape[-1]), 0


class StackableLinear(nn.Linear):
    """`torch.nn.Linear` whose stacks are fast to train."""

    def forward(self, input: Tensor) -> Tensor:
        """x (…, in) → (…, out)."""
        if not self.training:
            return super().forward(input)
        found: Tensor = _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return found


def set_stackable(module: nn.Module, stackable: bool) -> None:
    """Turn the dense layers of a module into `StackableLinear` or back, in place; subclasses stay as they are."""
    old, new = (nn.Linear, StackableLinear) if stackable else (StackableLinear, nn.Linear)
    for one in module.modules():
        if type(one) is old:
            one.__class__ = new
