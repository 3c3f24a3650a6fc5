"""Penalties, decay and clipping, and in which order what is done to gradients and weights around a step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from clients.regularization.budgets import l1_budget, l2_budget
from common.extend.client import StepHook
from common.models import Network
from common.scenario.training import Training
from common.stacks import Number, along, is_zero


def before_step(training: Training, chosen: list[int]) -> list[StepHook]:
    """What is done to the gradients, and to the weights, before an optimizer's step, in this order.

    The tensors at the places `chosen` are regularized.
    """
    changes = penalties(training, chosen)
    if training.clip_value is not None:
        changes.append(_clip_value(training.clip_value))
    if training.clip_norm is not None:
        changes.append(_clip_norm(training.clip_norm))
    if not is_zero(training.regularization.weight_decay):
        changes.append(decay(training.regularization.weight_decay, chosen))
    return changes


def penalties(training: Training, chosen: list[int]) -> list[StepHook]:
    """What adds the penalties' gradients, those of the tensors at the places `chosen`."""
    l1, l2 = training.regularization.l1, training.regularization.l2
    if is_zero(l1) and is_zero(l2):
        return []
    return [_penalties(l1, l2, chosen)]


def after_step(training: Training, chosen: list[int]) -> list[StepHook]:
    """What is done to the weights after an optimizer's step, those at the places `chosen`."""
    changes: list[StepHook] = []
    if training.regularization.l1_budget is not None:
        changes.append(l1_budget(training.regularization.l1_budget, chosen))
    if training.regularization.l2_budget is not None:
        changes.append(l2_budget(training.regularization.l2_budget, chosen))
    return changes


def regularized_places(network: Network, training: Training, names: Iterable[str]) -> list[int]:
    """Where the tensors that are regularized stand among those named."""
    chosen = network.regularized(training.regularization.biases)
    return [index for index, name in enumerate(names) if name in chosen]


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
