"""A step of a stack of MLPs with its backward pass written by hand, so that plain descent needs no gradients in memory.

Autograd sees what follows each layer's product, a layer at a time. The products, which the time goes into, are written
here; where nothing is done to gradients in between, their results go straight into the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from common.models import MLP, Weights
from common.models.network import Step
from common.models.stacked_linear import stacked_linear

Means = Callable[[Tensor], tuple[Tensor, Tensor]]
"""The last product (stack, examples, width) → each network's mean loss, (stack,), and derivatives by the product."""


@dataclass
class _Layer:
    """What a layer's backward pass needs of its forward pass."""

    inputs: Tensor
    product: Tensor
    """The layer's product; where what follows is a graph, its leaf."""
    normal: Weights
    """The parameters of its normalization, likewise."""
    follows: Tensor
    """Normalization, activation and dropout; of the last layer the derivatives of the losses."""
    by_hand: bool
    """Whether nothing but an activation follows whose derivative is known here."""


_aten = torch.ops.aten
_BACKWARD: dict[str, Callable[[Tensor, _Layer, Any], Tensor]] = {
    "relu": lambda by, layer, activation: _aten.threshold_backward(by, layer.follows, 0),
    "leaky_relu": lambda by, layer, activation: _aten.leaky_relu_backward(by, layer.product, activation.slope, False),
    "tanh": lambda by, layer, activation: _aten.tanh_backward(by, layer.follows),
    "sigmoid": lambda by, layer, activation: _aten.sigmoid_backward(by, layer.follows),
    "gelu": lambda by, layer, activation: _aten.gelu_backward(by, layer.product),
    "silu": lambda by, layer, activation: _aten.silu_backward(by, layer.product),
}
"""Derivatives by what an activation got from those by what it gave."""


def dense_step(
    network: MLP, weights: Weights, trained: list[str], x: Tensor, step: Step, means: Means, rate: float | None
) -> tuple[Tensor, list[Tensor]]:
    """Each network's mean loss on inputs x (stack, examples, features), and the gradients by the arrays `trained`.

    `weights` (stack, *shape) are part of no graph, and none are dropped. With a `rate` the trained ones are moved by
    −rate times their gradients, and no gradients are returned.
    """
    (losses, layers), names = _forward(network, weights, x, step, means), set(trained)
    lowest = min(int(name.split(".")[1]) for name in trained)
    products, small = dict[str, tuple[Tensor, Tensor]](), Weights()
    activation = network.spec.activation
    by_follows = by_product = layers[-1].follows
    for index in range(len(layers) - 1, lowest - 1, -1):
        layer, weight, bias = layers[index], f"layers.{index}.weight", f"layers.{index}.bias"
        if index == len(layers) - 1:
            pass
        elif layer.by_hand:
            by_product = _BACKWARD[activation.name](by_follows, layer, activation)
        else:
            leaves = [layer.product, *layer.normal.values()]
            by_product, *by_normal = torch.autograd.grad(layer.follows, leaves, by_follows)
            small |= dict(zip(layer.normal, by_normal, strict=True))
        if bias in names:
            small[bias] = by_product.sum(dim=1)
        if index > lowest:
            by_follows = _product(by_product, weights[weight])
        products[weight] = by_product.mT, layer.inputs
    if rate is None:
        return losses, [_product(*products[name]) if name in products else small[name] for name in trained]
    # All at the end: to autograd weights that share memory are one, and were changed while it needs some.
    for name in trained:
        if name in products:
            _descend(weights[name], *products[name], -rate)
        else:
            weights[name].sub_(small[name], alpha=rate)
    return losses, []


def _forward(network: MLP, weights: Weights, x: Tensor, step: Step, means: Means) -> tuple[Tensor, list[_Layer]]:
    """The networks' mean losses, and every layer."""
    layers, losses = list[_Layer](), x.new_empty(0)
    hidden, last, spec = step.drop_units(-1, x), len(network.layers) - 1, network.spec
    known = spec.activation.name in _BACKWARD and spec.activation.is_built_in()
    for index in range(last + 1):
        product = stacked_linear(hidden, weights[f"layers.{index}.weight"], weights.get(f"layers.{index}.bias"))
        normal: Weights = {}
        by_hand = index < last and known and spec.normalization.name == "none" and not spec.dropouts[index]
        if by_hand:
            follows = network.activation(product)
        elif index == last:
            losses, follows = means(product)
        else:
            names = [f"norms.{index}.{name}" for name in spec.normalization.parameters]
            normal = {name: weights[name].detach().requires_grad_() for name in names}
            normalized = network.normalized(index, weights | normal, product.requires_grad_(), step)
            follows = step.drop_units(index, network.activation(normalized))
        layers.append(_Layer(hidden, product, normal, follows, by_hand))
        hidden = follows.detach()
    return losses, layers


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Products of matrices, (stack, …): of a single one without the batched operation's overhead."""
    return torch.mm(left[0], right[0]).unsqueeze(0) if len(left) == 1 else torch.bmm(left, right)


def _descend(weight: Tensor, left: Tensor, right: Tensor, by: float) -> None:
    """weight ← weight + by·left·right, in place."""
    if len(left) == 1:
        weight[0].addmm_(left[0], right[0], alpha=by)
    else:
        weight.baddbmm_(left, right, alpha=by)
