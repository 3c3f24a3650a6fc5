"""How many of which: bars between round numbers, counted here, so that figure and table say the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from hothouse.report.page import Figure
from hothouse.report.parts import format_value, table

Numbers = NDArray[np.floating[Any]]


def histogram(
    values: dict[str, Numbers], colours: list[str], across: str, up: str, most: int = 20
) -> tuple[Figure, Markup]:
    """A figure of bars for each name's values, the names over each other, and its numbers as a table."""
    ends = edges(np.concatenate(list(values.values())), most)
    counts = {name: np.histogram(found, ends)[0].tolist() for name, found in values.items()}
    between = [f"{format_value(low)} … {format_value(high)}" for low, high in pairwise(ends.tolist())]
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": ((ends[:-1] + ends[1:]) / 2).round(9).tolist(),
            "y": counts[name],
            "text": between,
            "textposition": "none",
            "opacity": 1 / len(values) ** 0.5,
            "marker": {"color": colour},
            "hovertemplate": f"{across} %{{text}}: %{{y}} {up}<extra></extra>",
        }
        for name, colour in zip(values, colours, strict=True)
    ]
    layout = {
        "xaxis": {"title": {"text": across}},
        "yaxis": {"title": {"text": up}, **integer_ticks(max(map(max, counts.values())))},
        "bargap": 0.05,
        "barmode": "overlay",
        "showlegend": len(values) > 1,
    }
    heads = [up] if len(values) == 1 else list(values)
    return {"data": traces, "layout": layout}, table([across, *heads], zip(between, *counts.values(), strict=True))


def edges(values: Numbers, most: int) -> Numbers:
    """At most `most` equal steps of 1, 2 or 5 times a power of ten over all values, or one around a single value.

    What is not finite is in none of them.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    step = 10.0 ** np.floor(np.log10((high - low) / most))
    while True:
        for wide in (step, 2 * step, 5 * step):
            first, last = np.floor(low / wide), np.floor(high / wide) + 1
            if last - first <= most:
                return np.asarray(np.arange(first, last + 1) * wide)
        step *= 10


def integer_ticks(most: int) -> dict[str, Any]:
    """Integer ticks where an axis counts up to a handful of things."""
    return {"dtick": 1} if most <= 5 else {}
