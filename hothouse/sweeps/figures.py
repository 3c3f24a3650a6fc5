"""The figures of a sweep's page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plotly.colors import sample_colorscale

from hothouse.report.page import COLOURS, Figure
from hothouse.results.records import display_name
from hothouse.sweeps.names import distinct_values, short_keys
from hothouse.sweeps.result import RUNS, Sweep, history_of

if TYPE_CHECKING:
    import pandas as pd

_MOST_CURVES = 200


def parallel_coordinates(sweep: Sweep, metric: str) -> Figure:
    """A line per finished run through its values to what it is judged by, coloured by that.

    Drawn as ordinary lines: Plotly's own parallel coordinates need WebGL and say nothing under the pointer.
    """
    finished = _finished(sweep, metric)
    names = short_keys(sweep.keys)
    axes = [(names[key], _axis(sweep, key, finished[key].tolist())) for key in sweep.keys]
    merits = [float(value) for value in finished[metric]]
    low, high = min(merits), max(merits)
    ends = {"tickvals": [low, high], "ticktext": [f"{low:.4g}", f"{high:.4g}"]} if high > low else {}
    axes.append((display_name(metric), {"values": merits, "range": [low, high], **ends}))
    heights = [_heights(axis["values"], axis) for _, axis in axes]
    # Both ends, and all between, are seen on a light page and on a dark one.
    colours = sample_colorscale([[0, COLOURS[0]], [1, COLOURS[1]]], heights[-1])
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": list(range(len(axes))),
            "y": [height[place] for height in heights],
            "line": {"color": colours[place], "width": 2},
            "marker": {"size": 6},
            "opacity": 0.9,
            "name": name,
            "hovertemplate": f"{name}: {merits[place]:.4f}<extra></extra>",
            "showlegend": False,
        }
        for place, name in list(enumerate(finished["run"]))[-_MOST_CURVES:]
    ]
    told = [
        {"x": place, "y": height, "text": text, "showarrow": False, "xanchor": "right", "xshift": -8}
        for place, (_, axis) in enumerate(axes)
        for height, text in zip(_heights(axis.get("tickvals", []), axis), axis.get("ticktext", []), strict=True)
        if -0.05 <= height <= 1.05
    ]
    bars = [
        {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": {"color": COLOURS[8], "width": 1}}
        for place in range(len(axes))
    ]
    layout = {
        "xaxis": {
            "tickvals": list(range(len(axes))),
            "ticktext": [name for name, _ in axes],
            "side": "top",
            "range": [-0.5, len(axes) - 0.5],
            "showgrid": False,
            "showline": False,
            "zeroline": False,
        },
        "yaxis": {"visible": False, "range": [-0.06, 1.06]},
        "annotations": told,
        "shapes": bars,
        "margin": {"l": 15, "r": 15, "t": 50, "b": 15},
    }
    return {"data": lines, "layout": layout}


def importance_bars(shares: dict[str, float]) -> Figure:
    """A bar per key."""
    names = short_keys(shares)
    keys = list(reversed(shares))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [shares[key] for key in keys],
                "y": [names[key] for key in keys],
                "marker": {"color": COLOURS[0]},
                "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
            }
        ],
        "layout": {"xaxis": {"title": {"text": "share of the variance"}, "tickformat": ".0%", "rangemode": "tozero"}},
    }


def run_curves(sweep: Sweep, metric: str) -> Figure:
    """The metric of every run round by round, the best one thick."""
    best = sweep.best.folder.name if sweep.best is not None else ""
    lines = []
    for entry in sweep.records[:_MOST_CURVES]:
        rounds = history_of(sweep.folder / RUNS / entry["run"])
        measured = [one for one in rounds if one.get(metric) is not None]
        first = entry["run"] == best
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": entry["run"],
                "x": [one["round"] for one in measured],
                "y": [one[metric] for one in measured],
                "opacity": 1.0 if first else 0.8,
                "line": {
                    "color": COLOURS[1] if first else COLOURS[0],
                    "width": 3 if first else 1.2,
                    "dash": "solid" if entry["status"] == "complete" else "dot",
                },
                "hovertemplate": f"{entry['run']}<br>round %{{x}}: %{{y:.4f}}<extra></extra>",
                "showlegend": False,
            }
        )
    return {
        "data": lines,
        "layout": {"xaxis": {"title": {"text": "round"}}, "yaxis": {"title": {"text": display_name(metric)}}},
    }


def slice_of(sweep: Sweep, key: str, metric: str) -> Figure:
    """The metric of every finished run by its value of one key."""
    finished = _finished(sweep, metric)
    axis = _axis(sweep, key, finished[key].tolist())
    place: dict[str, Any] = {"title": {"text": key}}
    if "tickvals" in axis:
        place |= {"tickvals": axis["tickvals"], "ticktext": axis["ticktext"]}
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": axis["values"],
        "y": [float(value) for value in finished[metric]],
        "text": finished["run"].tolist(),
        "marker": {"color": COLOURS[0], "size": 9, "opacity": 0.8},
        "hovertemplate": "%{text}: %{y:.4f}<extra></extra>",
    }
    return {"data": [points], "layout": {"xaxis": place, "yaxis": {"title": {"text": display_name(metric)}}}}


def trials(sweep: Sweep, metric: str) -> Figure:
    """What every trial of a search came to, and the best so far."""
    assert sweep.goal is not None
    better = max if sweep.goal.maximize else min
    found = [(row["run"], row["status"], row[metric]) for row in sweep.table.to_dict("records")]
    so_far: list[float | None] = []
    for _, status, value in found:
        known = [one for one in so_far[-1:] if one is not None]
        if status == "complete" and value == value:
            known.append(float(value))
        so_far.append(better(known) if known else None)
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "trial",
        "x": list(range(len(found))),
        "y": [float(value) if value == value else None for _, _, value in found],
        "text": [f"{name} ({status})" for name, status, _ in found],
        "marker": {"color": [COLOURS[0] if status == "complete" else COLOURS[8] for _, status, _ in found], "size": 8},
        "hovertemplate": "%{text}: %{y:.4f}<extra></extra>",
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": list(range(len(found))),
        "y": so_far,
        "line": {"color": COLOURS[1], "shape": "hv"},
    }
    layout = {"xaxis": {"title": {"text": "trial"}}, "yaxis": {"title": {"text": display_name(metric)}}}
    return {"data": [points, line], "layout": layout}


def _finished(sweep: Sweep, metric: str) -> pd.DataFrame:
    return sweep.table[(sweep.table.status == "complete") & sweep.table[metric].notna()]


def _heights(values: Sequence[float], axis: dict[str, Any]) -> list[float]:
    """Places on an axis as shares of its range."""
    low, high = axis["range"]
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _axis(sweep: Sweep, key: str, values: Sequence[Any]) -> dict[str, Any]:
    """Places for values on an axis: numbers of a search's range where they are, anything else side by side."""
    space = sweep.scenario.search.space[key] if sweep.scenario.search else None
    if space is None or space.choices is not None:
        every = {repr(value): value for value in sweep.table[key]}
        if all(isinstance(value, int | float) for value in every.values()):
            every = dict(sorted(every.items(), key=lambda item: item[1]))
        order = list(every)
        ticks = {"tickvals": list(range(len(order))), "ticktext": list(distinct_values(list(every.values())))}
        return {"values": [order.index(repr(value)) for value in values], **ticks, "range": [-0.2, len(order) - 0.8]}
    if not space.log:
        assert space.low is not None
        assert space.high is not None
        ends = [float(space.low), float(space.high)]
        return {
            "values": [float(value) for value in values],
            "tickvals": ends,
            "ticktext": [f"{end:g}" for end in ends],
            "range": ends,
        }
    assert space.low is not None
    assert space.high is not None
    decades = range(math.floor(math.log10(space.low)), math.ceil(math.log10(space.high)) + 1)
    return {
        "values": [math.log10(value) for value in values],
        "tickvals": list(decades),
        "ticktext": [f"{10.0**decade:g}" for decade in decades],
        "range": [math.log10(space.low), math.log10(space.high)],
    }
