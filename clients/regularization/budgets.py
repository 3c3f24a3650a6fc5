"""Budgets: after each step a client's weights, as one vector, move to the nearest point of a ball."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.regularization.change import Change
from clients.training.values import Number, along


def l1_budget(budget: Number, chosen: list[int]) -> Change:
    """Keeps Σ│w│ ≤ budget over the chosen tensors of each client."""
    theta = torch.empty(0)

    def keep(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        nonlocal theta
        parts = _parts(active, weights, chosen)
        # The last step's θ is near this one's: a first guess that saves most of the search.
        start = theta[:active] if len(theta) else parts[0].new_zeros(active, 1)
        theta = project_l1(parts, _limits(budget, active, parts[0]), start)

    return keep


def l2_budget(budget: Number, chosen: list[int]) -> Change:
    """Keeps Σ w² ≤ budget over the chosen tensors of each client."""

    def keep(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
        parts = _parts(active, weights, chosen)
        project_l2(parts, _limits(budget, active, parts[0]))

    return keep


def project_l1(parts: list[Tensor], budget: Tensor, start: Tensor) -> Tensor:
    """Move each client's vector in place to its nearest point with Σ│w│ ≤ budget; returns θ, (clients, 1).

    `parts` are (clients, n), side by side a client's vector; `budget` is (clients, 1), as is `start`, a guess of θ
    that is not below 0. The nearest point is sign(w) max(│w│ − θ, 0) with the θ ≥ 0 at which what is left adds up
    to the budget (Duchi et al. 2008, equation 3). θ is found as in Condat 2016, section 3.2 (after Michelot 1986):
    θ ← (Σ │w│ − budget) / n over the n numbers above θ, until these are the same. It takes a few passes, no sorting.
    """
    sizes = [part.abs() for part in parts]
    rests = [torch.empty_like(size) for size in sizes]
    theta, count, going = start, torch.full_like(start, -1), torch.ones_like(start, dtype=torch.bool)
    small = torch.finfo(start.dtype).eps * budget
    while going.any():
        above, over = torch.zeros_like(theta), -budget
        for size, rest in zip(sizes, rests, strict=True):
            torch.sub(size, theta, out=rest).clamp_(min=0)
            over = over + rest.sum(dim=1, keepdim=True)
            above += rest.sign_().sum(dim=1, keepdim=True)
        better = torch.where(above > 0, theta + over / above.clamp(min=1), 0.0).clamp(min=0)
        # A client that is done stays as it is while others go on: nobody's numbers depend on its neighbours'. What is
        # not a number compares as done.
        theta, last = torch.where(going, better, theta), theta
        going &= (above != count) & (over.abs() > small) & (theta != last)
        count = above
    if (theta > 0).any():
        for part in parts:
            part.sub_(part.clamp(-theta, theta))
    return theta


def project_l2(parts: list[Tensor], budget: Tensor) -> None:
    """Move each client's vector in place to its nearest point with Σ w² ≤ budget; shapes as for `project_l1`."""
    squares = torch.stack([part.square().sum(dim=1, keepdim=True) for part in parts]).sum(dim=0)
    factor = (budget / squares.clamp(min=torch.finfo(squares.dtype).tiny)).sqrt().clamp(max=1)
    for part in parts:
        part.mul_(factor)


def _parts(active: int, weights: list[Tensor], chosen: list[int]) -> list[Tensor]:
    """The chosen tensors, a row a client: views, never copies."""
    return [weights[index].view(active, -1) for index in chosen]


def _limits(budget: Number, active: int, like: Tensor) -> Tensor:
    own = along(budget, active, like)
    return own if isinstance(own, Tensor) else like.new_full((active, 1), own)
