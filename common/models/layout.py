"""How a model's parameters and buffers lie in one flat row, so that a stack of models is one matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]
"""Named tensors: a model's parameters and buffers, or a stack's with one more axis in front."""


class Layout:
    """Names, shapes and places of tensors in a flat row of `size` numbers."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], parameters: Layout | None = None) -> None:
        self.shapes = shapes
        self.sizes = [math.prod(shape) for shape in shapes.values()]
        self.size = sum(self.sizes)
        self.parameters = parameters or self
        """The layout of the parameters alone, which come first."""

    @classmethod
    def of(cls, module: nn.Module) -> Layout:
        """The layout of a module's parameters and, behind them, its buffers, such as running statistics."""
        parameters = {name: tuple(tensor.shape) for name, tensor in module.named_parameters()}
        buffers = {name: tuple(tensor.shape) for name, tensor in module.named_buffers()}
        return cls(parameters | buffers, cls(parameters))

    def views(self, flat: Tensor) -> Weights:
        """The named tensors inside `flat`: (stack, size) → name: (stack, *shape). Shares memory."""
        pieces = flat.split_with_sizes(self.sizes, dim=1)
        return {
            name: piece.view(flat.shape[0], *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def joined(self, weights: Weights) -> Tensor:
        """The matrix (stack, size) whose views these are, sharing memory; a fresh one of named tensors that lie apart.

        Tensors are (stack, *shape); those that are not named are zeros.
        """
        like, at, apart = next(weights[name] for name in self.shapes if name in weights), 0, False
        for (name, shape), size in zip(self.shapes.items(), self.sizes, strict=True):
            tensor = weights.get(name, like[:0])
            place = like.data_ptr() + at * like.element_size()
            apart |= tensor.data_ptr() != place or tensor.stride() != (self.size, *_strides(shape)) or not len(tensor)
            at += size
        if not apart:
            return like.as_strided((len(like), self.size), (self.size, 1))
        missing = {name: like.new_zeros(1, *shape) for name, shape in self.shapes.items() if name not in weights}
        return self.flatten(weights | missing, len(like))

    def flatten(self, weights: Weights, stack: int) -> Tensor:
        """A fresh matrix (stack, size) from named tensors, each (*shape) for all or (stack, *shape)."""
        pieces = []
        for name, shape in self.shapes.items():
            piece = weights[name].reshape(-1, math.prod(shape))
            pieces.append(piece.expand(stack, -1))
        return torch.cat(pieces, dim=1) if pieces else torch.empty(stack, 0)


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Those of a tensor whose numbers lie one after the other."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
