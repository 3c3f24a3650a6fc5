"""Penalties, decay, clipping and budgets: what is done to gradients before a step and to weights after it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clients.training.values import Number, Values, along

Change = Callable[[int, list[Tensor], list[Tensor], Number], None]
"""(active, weights, gradients, learning rate) → None: changes tensors (active, *shape) in place."""


def before_step(values: Values, names: list[str]) -> list[Change]:
    """What is done to the gradients, and to the weights, before an optimizer's step, in this order."""
    chosen = _regularized(values, names)
    changes: list[Change] = []
    if values.used("regularization.l1") or values.used("regularization.l2"):
        changes.append(_penalties(values["regularization.l1"], values["regularization.l2"], chosen))
    if values["clip_value"] is not None:
        changes.append(_clip_value(values["clip_value"]))
    if values["clip_norm"] is not None:
        changes.append(_clip_norm(values["clip_norm"]))
    if values.used("regularization.weight_decay"):
        changes.append(_decay(values["regularization.weight_decay"], chosen))
    return changes


def after_step(values: Values, names: list[str]) -> list[Change]:
    """What is done to the weights after an optimizer's step."""
    chosen = _regularized(values, names)
    changes: list[Change] = []
    if values["regularization.l1_budget"] is not None:
        changes.append(_budget(values["regularization.l1_budget"], chosen, project_l1))
    if values["regularization.l2_budget"] is not None:
        changes.append(_budget(values["regularization.l2_budget"], chosen, project_l2))
    return changes


def project_l1(rows: Tensor, budget: Tensor) -> Tensor:
    """Each row's nearest point with Σ│w│ ≤ budget: rows (stack, n), budget (stack, 1).

    Duchi et al. 2008, figure 1: magnitudes are lowered by the θ at which they add up to the budget.
    """
    sizes = rows.abs()
    ordered = sizes.sort(dim=1, descending=True).values
    counts = torch.arange(1, rows.shape[1] + 1, dtype=rows.dtype)
    thresholds = (ordered.cumsum(dim=1) - budget) / counts
    last = (ordered > thresholds).sum(dim=1, keepdim=True) - 1
    threshold = thresholds.gather(1, last).clamp(min=0)
    return rows.sign() * (sizes - threshold).clamp(min=0)


def project_l2(rows: Tensor, budget: Tensor) -> Tensor:
    """Each row's nearest point with Σ w² ≤ budget: rows (stack, n), budget (stack, 1)."""
    squares = rows.square().sum(dim=1, keepdim=True)
    return rows * (budget / squares.clamp(min=torch.finfo(rows.dtype).tiny)).sqrt().clamp(max=1)


def _regularized(values: Values, names: list[str]) -> list[int]:
    """Which tensors are regularized: dense layers' weights, and their biases if told so."""
    endings = (".weight", ".bias") if values["regularization.biases"] else (".weight",)
    return [index for index, name in enumerate(names) if name.startswith("layers.") and name.endswith(endings)]


def _penalties(l1: Number, l2: Number, chosen: list[int]) -> Change:
    def add(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for index in chosen:
            weight, gradient = weights[index], gradients[index]
            if isinstance(l1, Tensor) or l1:
                gradient += weight.sign() * along(l1, active, weight)
            if isinstance(l2, Tensor) or l2:
                gradient += weight * along(l2, active, weight)

    return add


def _decay(rate: Number, chosen: list[int]) -> Change:
    def decay(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for index in chosen:
            weight = weights[index]
            weight.mul_(1 - along(lr, active, weight) * along(rate, active, weight))

    return decay


def _clip_value(limit: Number) -> Change:
    def clip(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for gradient in gradients:
            bound = along(limit, active, gradient)
            # torch.clamp_ takes two numbers or two tensors.
            gradient.clamp_(-bound, bound)  # type: ignore[arg-type]

    return clip


def _clip_norm(limit: Number) -> Change:
    def clip(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
        # As torch.nn.utils.clip_grad_norm_: a little short of the limit, and no gradient is made longer.
        factor = (along(limit, active, squares) / (squares.sqrt() + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(along(factor, active, gradient))

    return clip


def _budget(budget: Number, chosen: list[int], project: Callable[[Tensor, Tensor], Tensor]) -> Change:
    def keep(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        parts = [weights[index].flatten(1) for index in chosen]
        rows = torch.cat(parts, dim=1)
        own = along(budget, active, rows)
        limits = own if isinstance(own, Tensor) else rows.new_full((active, 1), own)
        for index, piece in zip(
            chosen, project(rows, limits).split_with_sizes([part.shape[1] for part in parts], dim=1), strict=True
        ):
            weights[index].copy_(piece.view(weights[index].shape))

    return keep
