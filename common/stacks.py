"""Arithmetic on stacks: tensors (stack, …) with an entry for each client, of which the first `active` still train."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    # Options of parts that work on stacks are read without PyTorch.
    from torch import Tensor

Number: TypeAlias = "float | Tensor"
"""One number for every client, or each client's own, (stack,)."""


def along(value: Number, active: int, like: Tensor) -> Number:
    """A number ready to multiply `like` (active, …): vectors are cut to the active clients and given axes."""
    if isinstance(value, float | int):
        return value
    return value[:active].view(-1, *[1] * (like.dim() - 1))


def descend(weight: Tensor, direction: Tensor, length: Number, active: int) -> None:
    """weight ← weight − length·direction, in place: tensors (active, …)."""
    by = along(length, active, weight)
    if isinstance(by, float | int):
        weight.add_(direction, alpha=-by)
    else:
        weight.addcmul_(direction, by, value=-1)


def is_zero(value: Number) -> bool:
    """Whether the number is zero for every client."""
    return not value if isinstance(value, float | int) else not bool((value != 0).any())
