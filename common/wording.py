"""How lists stand in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def first_few(values: Sequence[object], most: int = 5) -> str:
    """The first values with commas between them, and how many more there are: `3, 5, 8 and 12 more`."""
    told = ", ".join(map(str, values[:most]))
    return f"{told} and {len(values) - most} more" if len(values) > most else told
