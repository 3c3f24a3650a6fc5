"""Who took part when, and who was left out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from hothouse.report.figures import COLOUR_BAR
from hothouse.report.histogram import integer_ticks
from hothouse.report.page import COLOURS, Page
from hothouse.report.parts import side_by_side, table
from hothouse.results.records import RunRecords

_MOST_CLIENTS, _MOST_COLUMNS, _MOST_MARKS, _MOST_LINES = 200, 300, 2000, 200


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Clients by rounds, and how often clients took part."""
    rounds = [line for line in records.clients if line["round"] > 0]
    shown = records.federation.get("shown", [])
    if not rounds or not shown:
        return []
    there = _participation(shown, [line["clients"] for line in rounds])
    excluded = [
        (event["round"], client)
        for event in records.events
        if event["event"] == "excluded"
        for client in event.get("clients", [])
    ]
    counts = Counter(there.sum(axis=1).tolist())
    times = sorted(counts)
    how_often = {
        "data": [
            {
                "type": "bar",
                "x": times,
                "y": [counts[count] for count in times],
                "marker": {"color": COLOURS[0]},
                "hovertemplate": "%{y} clients took part in %{x} rounds<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "rounds taken part in"}},
            "yaxis": {"title": {"text": "clients"}, **integer_ticks(max(counts.values()))},
        },
    }
    note = f"Crosses mark {len(excluded)} exclusions." if excluded else ""
    height = int(np.clip(80 + 12 * min(len(shown), _MOST_CLIENTS), 320, 640))
    numbers = table(
        ["client", "rounds", "which"],
        [
            (
                records.name_of(client),
                int(row.sum()),
                ", ".join(str(rounds[place]["round"]) for place in row.nonzero()[0]),
            )
            for client, row in list(zip(shown, there, strict=True))[:_MOST_LINES]
        ],
    )
    drawn = _map(records, shown, rounds[0]["round"], there, excluded)
    figures = [
        page.figure(drawn, "Who trained in which round", height, "attendance", numbers, note),
        page.figure(how_often, "How many clients took part how often", height, "attendance-counts"),
    ]
    return [side_by_side(*figures)]


def _participation(shown: list[int], rounds: list[list[int]]) -> NDArray[np.bool_]:
    """Which clients trained in which rounds, (clients, rounds)."""
    there = np.zeros((len(shown), len(rounds)), dtype=bool)
    for column, clients in enumerate(rounds):
        there[:, column] = np.isin(shown, clients)
    return there


def _map(
    records: RunRecords, shown: list[int], first: int, there: NDArray[np.bool_], excluded: list[tuple[int, int]]
) -> dict[str, Any]:
    """A heat map; many clients are thinned out, many rounds put together."""
    places = np.unique(np.linspace(0, len(shown) - 1, min(len(shown), _MOST_CLIENTS)).astype(int))
    width = -(-there.shape[1] // _MOST_COLUMNS)
    starts = np.arange(0, there.shape[1], width)
    shares = np.stack([there[places, start : start + width].mean(axis=1) for start in starts], axis=1)
    names = [records.name_of(shown[place]) for place in places]
    what = "trained in %{z:.0%} of the rounds from" if width > 1 else "took part: %{z}, round"
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": shares.round(3).tolist() if width > 1 else shares.astype(int).tolist(),
            "x": (starts + first).tolist(),
            "y": names,
            "zmin": 0,
            "zmax": 1,
            "colorscale": [[0, "rgba(128,140,160,0.10)"], [1, COLOURS[0]]],
            "showscale": width > 1,
            "colorbar": {**COLOUR_BAR, "tickformat": ".0%"},
            "xgap": 1 if len(starts) <= 120 else 0,
            "ygap": 1 if len(names) <= 60 else 0,
            "hovertemplate": f"client %{{y}} {what} %{{x}}<extra></extra>",
        }
    ]
    marks = [(number, records.name_of(client)) for number, client in excluded][:_MOST_MARKS]
    marks = [(number, name) for number, name in marks if name in set(names)]
    if marks:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "excluded",
                "x": [number for number, _ in marks],
                "y": [name for _, name in marks],
                "marker": {"color": COLOURS[4], "symbol": "x", "size": 9},
                "hovertemplate": "client %{y} was excluded in round %{x}<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": {
            "xaxis": {"title": {"text": "round"}},
            "yaxis": {"title": {"text": "client"}, "type": "category", "showgrid": False},
        },
    }
