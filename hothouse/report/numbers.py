"""A figure's numbers as a table: for those who would rather read them, and for those who cannot see the figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

MOST_ROWS, MOST_COLUMNS = 200, 30
"""What is left of a long or a wide table."""

Trace = dict[str, Any]
Head = list[str]
Rows = list[list[Any]]


def numbers_of(figure: dict[str, Any]) -> tuple[Head, Rows]:
    """What a Plotly figure draws: the names of columns, and rows of numbers."""
    traces: list[Trace] = figure["data"]
    across, up = (_title(figure["layout"], axis) for axis in ("xaxis", "yaxis"))
    kinds = {trace["type"] for trace in traces}
    if "heatmap" in kinds:
        head, rows = _cells(next(trace for trace in traces if trace["type"] == "heatmap"), across, up)
    elif kinds == {"box"}:
        head, rows = _boxes(traces, across)
    else:
        columns = [column for trace in traces for column in _columns(trace, across, up)]
        alone = all(len(set(x)) == len(x) for _, x, _ in columns)
        head, rows = _lines(columns, across) if alone else _points(traces, across, up)
    return head[:MOST_COLUMNS], [row[:MOST_COLUMNS] for row in thin_out(rows)]


def thin_out(rows: Rows) -> Rows:
    """Evenly spaced rows of a long table, the first and the last among them."""
    if len(rows) <= MOST_ROWS:
        return rows
    return [rows[round(place * (len(rows) - 1) / (MOST_ROWS - 1))] for place in range(MOST_ROWS)]


def _title(layout: dict[str, Any], axis: str) -> str:
    return str(layout.get(axis, {}).get("title", {}).get("text", axis[0]))


def _columns(trace: Trace, across: str, up: str) -> Iterable[tuple[str, Sequence[Any], Sequence[Any]]]:
    """A trace as columns (name, places, numbers): a line or bars are one, the area between two lines is two."""
    name, x, y = trace.get("name") or up, trace["x"], trace["y"]
    if trace.get("fill") == "toself":
        half = len(x) // 2
        yield f"{name}, from", x[:half], y[: half - 1 : -1]
        yield f"{name}, to", x[:half], y[:half]
    elif trace.get("orientation") == "h":
        yield across, y, x
    else:
        yield name, x, y


def _lines(columns: list[tuple[str, Sequence[Any], Sequence[Any]]], across: str) -> tuple[Head, Rows]:
    """Columns beside each other, a row for each place that any of them has."""
    places = list(dict.fromkeys(place for _, x, _ in columns for place in x))
    if all(isinstance(place, int | float) for place in places):
        places.sort()
    found = [dict(zip(x, y, strict=True)) for _, x, y in columns]
    return [across, *(name for name, _, _ in columns)], [
        [place, *(one.get(place) for one in found)] for place in places
    ]


def _points(traces: list[Trace], across: str, up: str) -> tuple[Head, Rows]:
    """A row for each point, with the words that stand beside it and its trace's name where there are several."""
    several, worded = len(traces) > 1, any("text" in trace for trace in traces)
    rows = []
    for trace in traces:
        words = trace.get("text") or [None] * len(trace["x"])
        for x, y, word in zip(trace["x"], trace["y"], words, strict=True):
            named = [trace.get("name", "")] if several else []
            rows.append([*named, *([word] if worded else []), x, y])
    return [*(["what"] if several else []), *(["which"] if worded else []), across, up], rows


def _cells(trace: Trace, across: str, up: str) -> tuple[Head, Rows]:
    """A heat map, its longer side down the page; counts where its cells have them, else what is coloured."""
    cells, x, y = trace.get("text") or trace["z"], trace["x"], trace["y"]
    if len(x) > len(y):
        cells, x, y, across, up = list(zip(*cells, strict=True)), y, x, up, across
    return [f"{up} \\ {across}", *map(str, x)], [[name, *row] for name, row in zip(y, cells, strict=True)]


def _boxes(traces: list[Trace], across: str) -> tuple[Head, Rows]:
    sides = {
        "lowerfence": "5th percentile",
        "q1": "first quartile",
        "median": "median",
        "q3": "third quartile",
        "upperfence": "95th percentile",
    }
    return [across, *sides.values()], [[trace["name"], *(trace[side][0] for side in sides)] for trace in traces]
