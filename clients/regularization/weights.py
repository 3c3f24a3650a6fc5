"""Penalties, decay and clipping, and in which order what is done to gradients and weights around a step."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.regularization.budgets import l1_budget, l2_budget
from clients.values import Values
from common.extend.client import Number, StepHook, along


def before_step(values: Values, names: list[str]) -> list[StepHook]:
    """What is done to the gradients, and to the weights, before an optimizer's step, in this order."""
    changes = penalties(values, names)
    if values["clip_value"] is not None:
        changes.append(_clip_value(values["clip_value"]))
    if values["clip_norm"] is not None:
        changes.append(_clip_norm(values["clip_norm"]))
    if values.used("regularization.weight_decay"):
        changes.append(decay(values["regularization.weight_decay"], _regularized(values, names)))
    return changes


def penalties(values: Values, names: list[str]) -> list[StepHook]:
    """What adds the penalties' gradients."""
    if not (values.used("regularization.l1") or values.used("regularization.l2")):
        return []
    return [_penalties(values["regularization.l1"], values["regularization.l2"], _regularized(values, names))]


def after_step(values: Values, names: list[str]) -> list[StepHook]:
    """What is done to the weights after an optimizer's step."""
    chosen = _regularized(values, names)
    changes: list[StepHook] = []
    if values["regularization.l1_budget"] is not None:
        changes.append(l1_budget(values["regularization.l1_budget"], chosen))
    if values["regularization.l2_budget"] is not None:
        changes.append(l2_budget(values["regularization.l2_budget"], chosen))
    return changes


def _regularized(values: Values, names: list[str]) -> list[int]:
    """Which tensors are regularized: dense layers' weights, and their biases if told so."""
    endings = (".weight", ".bias") if values["regularization.biases"] else (".weight",)
    return [index for index, name in enumerate(names) if name.startswith("layers.") and name.endswith(endings)]


def _penalties(l1: Number, l2: Number, chosen: list[int]) -> StepHook:
    def add(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for index in chosen:
            weight, gradient = weights[index], gradients[index]
            if isinstance(l1, Tensor) or l1:
                gradient += weight.sign() * along(l1, active, weight)
            if isinstance(l2, Tensor) or l2:
                gradient += weight * along(l2, active, weight)

    return add


def decay(rate: Number, chosen: list[int]) -> StepHook:
    """θ ← (1 − ηλ) θ for the chosen tensors (Loshchilov and Hutter 2019, equation 7)."""

    def shrink(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for index in chosen:
            weight = weights[index]
            weight.mul_(1 - along(lr, active, weight) * along(rate, active, weight))

    return shrink


def _clip_value(limit: Number) -> StepHook:
    def clip(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        for gradient in gradients:
            bound = along(limit, active, gradient)
            # torch.clamp_ takes two numbers or two tensors.
            gradient.clamp_(-bound, bound)  # type: ignore[arg-type]

    return clip


def _clip_norm(limit: Number) -> StepHook:
    def clip(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
        # As torch.nn.utils.clip_grad_norm_: a little short of the limit, and no gradient is made longer.
        factor = (along(limit, active, squares) / (squares.sqrt() + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(along(factor, active, gradient))

    return clip
