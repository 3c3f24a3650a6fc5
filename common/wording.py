"""How lists and numbers stand in sentences and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def first_few(values: Sequence[object], most: int = 5) -> str:
    """The first values with commas between them, and how many more there are: `3, 5, 8 and 12 more`."""
    told = ", ".join(map(str, values[:most]))
    return f"{told} and {len(values) - most} more" if len(values) > most else told


def short(values: NDArray[Any]) -> list[float]:
    """Numbers with six digits that count, which is what people and pictures can use."""
    values = values.astype(np.float64)
    with np.errstate(all="ignore"):
        behind = 5 - np.floor(np.log10(np.abs(values)))
    # Ten to the power of more is no exact number; zeros, infinities and NaN have no digits that count.
    if ((behind >= 0) & (behind <= 22)).all():
        scale = 10.0**behind
        rounded: list[float] = (np.round(values * scale) / scale).tolist()
        return rounded
    return [float(f"{value:.6g}") for value in values.tolist()]
