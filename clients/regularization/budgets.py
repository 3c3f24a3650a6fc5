"""Budgets: after each step a client's weights, as one vector, move to the nearest point of a ball."""

from __future__ import annotations

import torch
from torch import Tensor

from common.extend.client import StepHook
from common.stacks import Number, along


def l1_budget(budget: Number, chosen: list[int]) -> StepHook:
    """Keeps Σ│w│ ≤ budget over the chosen tensors of each client."""
    theta = torch.empty(0)

    def keep(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        nonlocal theta
        parts = _parts(active, weights, chosen)
        # The last step's θ is near this one's: a first guess that saves most of the search.
        start = theta[:active] if len(theta) else parts[0].new_zeros(active, 1)
        theta = project_l1(parts, _limits(budget, active, start), start)

    return keep


def l2_budget(budget: Number, chosen: list[int]) -> StepHook:
    """Keeps Σ w² ≤ budget over the chosen tensors of each client."""

    def keep(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        parts = _parts(active, weights, chosen)
        squares = torch.stack([part.square().sum(dim=1, keepdim=True) for part in parts]).sum(dim=0)
        limits = _limits(budget, active, squares)
        factor = (limits / squares.clamp(min=torch.finfo(squares.dtype).tiny)).sqrt().clamp(max=1)
        for part in parts:
            part.mul_(factor)

    return keep


def project_l1(parts: list[Tensor], budget: Tensor, start: Tensor) -> Tensor:
    """Move each client's vector in place to its nearest point with Σ│w│ ≤ budget; returns its θ, (clients, 1).

    `parts` are (clients, n), side by side the vectors, `budget` is (clients, 1), as is `start`, a guess of θ that is
    not below 0. The nearest point is sign(w) max(│w│ − θ, 0) with the θ ≥ 0 at which what is left adds up to the budget
    (Duchi et al. 2008, equation 3). θ is found as in Condat 2016, section 3.2 (after Michelot 1986):
    θ ← (Σ │w│ − budget) / m over the m numbers above θ, until these are the same. That takes a few passes, no sorting.
    """
    sizes = torch.cat(parts, dim=1).abs_()
    rest, signs = torch.empty_like(sizes), torch.empty_like(sizes)
    theta, count, going = start, torch.full_like(start, -1), torch.ones_like(start, dtype=torch.bool)
    small = 4 * torch.finfo(sizes.dtype).eps * budget
    while True:
        torch.sub(sizes, theta, out=rest).clamp_(min=0)
        over = rest.sum(dim=1, keepdim=True) - budget
        # What is not a number compares as done.
        going &= (over.abs() > small) & ((theta > 0) | (over > 0))
        if not going.any():
            break
        above = torch.sign(rest, out=signs).sum(dim=1, keepdim=True)
        better = torch.where(above > 0, theta + over / above.clamp(min=1), 0.0).clamp(min=0)
        # From the first step on θ only rises, but for how sums round.
        going &= (above != count) & ((better > theta) | (count < 0))
        # A client that is done stays as it is while others continue: nobody's numbers depend on its neighbours'.
        theta, count = torch.where(going, better, theta), above
    for part, piece in zip(parts, rest.split_with_sizes([part.shape[1] for part in parts], dim=1), strict=True):
        part.sign_().mul_(piece)
    return theta


def _parts(active: int, weights: list[Tensor], chosen: list[int]) -> list[Tensor]:
    """The chosen tensors, a row a client: views, never copies."""
    return [weights[index].view(active, -1) for index in chosen]


def _limits(budget: Number, active: int, like: Tensor) -> Tensor:
    own = along(budget, active, like)
    return own if isinstance(own, Tensor) else like.new_full((active, 1), own)
