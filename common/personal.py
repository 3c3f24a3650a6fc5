"""A client's own model: the global one with those arrays in place that the client has kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

_PREFIX = "personal."
"""What the names of own arrays begin with among all that a client keeps."""


def as_kept(arrays: Mapping[str, T]) -> dict[str, T]:
    """Arrays of a client's own model, by name, under the names by which they are kept."""
    return {_PREFIX + name: array for name, array in arrays.items()}


def own_arrays(kept: Mapping[str, T]) -> dict[str, T]:
    """The arrays of a client's own model among what it has kept."""
    return {name[len(_PREFIX) :]: array for name, array in kept.items() if name.startswith(_PREFIX)}
