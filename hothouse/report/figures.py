"""The figures of pages: what a federation looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Prepared
from hothouse.report.page import COLOURS, Figure

COLOUR_BAR = {"thickness": 10, "outlinewidth": 0, "len": 1.0, "y": 0.5}
"""The scale beside a heat map."""

_MOST_SHOWN = 500
"""Clients in a figure; of more, evenly spaced ones are shown."""


def client_names(prepared: Prepared) -> list[str]:
    """What clients are called: their natural names, or their ids."""
    return prepared.meta.clients or [str(client) for client in prepared.clients.tolist()]


def shown_clients(count: int) -> NDArray[np.int64]:
    """The positions of the clients that a figure shows."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_SHOWN)).astype(np.int64))


def label_map(names: list[str], labels: list[Any], counts: NDArray[np.int64]) -> Figure:
    """A heat map of labels by clients: (clients, labels) counts."""
    chosen = shown_clients(len(names))
    shares = counts[chosen] / np.maximum(counts[chosen].sum(axis=1, keepdims=True), 1)
    return {
        "data": [
            {
                "type": "heatmap",
                "z": shares.T.round(4).tolist(),
                "text": counts[chosen].T.tolist(),
                "x": [names[place] for place in chosen],
                "y": [str(label) for label in labels],
                "colorscale": "Viridis",
                "zmin": 0,
                "zmax": float(shares.max()),
                "colorbar": {**COLOUR_BAR, "tickformat": ".0%"},
                "hovertemplate": "client %{x}, label %{y}: %{text} examples (%{z:.1%})<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "client"}, "type": "category"},
            "yaxis": {"title": {"text": "label"}, "type": "category"},
        },
    }


def shard_sizes(names: list[str], training: NDArray[np.int64], holdout: NDArray[np.int64]) -> Figure:
    """Rows per client, those it trains on and those it holds out."""
    chosen = shown_clients(len(names))
    x = [names[place] for place in chosen]
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": x,
            "y": sizes[chosen].tolist(),
            "marker": {"color": colour},
            "hovertemplate": f"client %{{x}}: %{{y}} examples {name}<extra></extra>",
        }
        for name, sizes, colour in (("to train on", training, COLOURS[0]), ("held out", holdout, COLOURS[1]))
        if sizes.any()
    ]
    return {
        "data": bars,
        "layout": {
            "barmode": "stack",
            "xaxis": {"title": {"text": "client"}, "type": "category"},
            "yaxis": {"title": {"text": "examples"}},
        },
    }


def target_boxes(names: list[str], percentiles: NDArray[np.float64]) -> Figure:
    """The spread of a regression's targets, client by client: (clients, 5), see `target_percentiles`."""
    chosen = shown_clients(len(names))[:60]
    boxes = []
    for place in chosen.tolist():
        low, first, middle, third, high = ([value] for value in percentiles[place].tolist())
        boxes.append(
            {
                "type": "box",
                "name": names[place],
                "x": [names[place]],
                "lowerfence": low,
                "q1": first,
                "median": middle,
                "q3": third,
                "upperfence": high,
                "marker": {"color": COLOURS[0]},
                "showlegend": False,
            }
        )
    return {
        "data": boxes,
        "layout": {
            "xaxis": {"title": {"text": "client"}, "type": "category"},
            "yaxis": {"title": {"text": "target (5th to 95th percentile)"}},
        },
    }
