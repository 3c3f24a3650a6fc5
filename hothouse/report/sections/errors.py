"""What the final model gets wrong on the server's examples: a confusion matrix, or residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.report.curves import with_opacity
from hothouse.report.histogram import histogram
from hothouse.report.page import COLOURS, Figure, Page
from hothouse.report.parts import facts, paragraph, side_by_side, table
from hothouse.results.records import RunRecords

MOST_OPAQUE = 0.65
"""How strong a cell's colour becomes: the number in it must be readable, dark on light and light on dark."""
_MOST_LABELS, _MOST_LINES, _MOST_TARGETS = 100, 30, 4


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Labels by predictions and what is recognized of each label; or predictions by targets and their errors."""
    final = records.final
    if not final:
        return []
    size = f"{final['rows']:,} {final['split']} examples"
    lead = paragraph(f"The model after round {final['round']} on the server's {size}.")
    if "labels" in final:
        return [lead, *_confusions(page, final)]
    return [lead, *_residuals(page, final)]


def _confusions(page: Page, final: dict[str, Any]) -> list[Markup]:
    labels = [str(label) for label in final["labels"]]
    rows, right = np.array(final["label_rows"]), np.array(final["label_right"])
    most = [(labels[true], labels[guess], count) for true, guess, count in final["confusions"][:_MOST_LINES]]
    numbers = table(["label", "taken for", "examples"], most)
    figures = []
    if len(labels) <= _MOST_LABELS:
        matrix = np.diag(right)
        for true, guess, count in final["confusions"]:
            matrix[true, guess] = count
        note = f"Green: {int(right.sum())} of {int(rows.sum())} examples, recognized. Red: taken for another label."
        figures.append(page.figure(_matrix(labels, matrix), "Confusion matrix", 460, "confusion", numbers, note))
        numbers = Markup()
    recall = np.divide(right, rows, out=np.full(len(rows), np.nan), where=rows > 0)
    bars = {
        "data": [
            {
                "type": "bar",
                "x": labels,
                "y": [None if share != share else round(share, 4) for share in recall.tolist()],
                "customdata": np.stack([right, rows], axis=1).tolist(),
                "marker": {"color": COLOURS[2]},
                "hovertemplate": "%{x}: %{customdata[0]} of %{customdata[1]} examples (%{y:.1%})<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "label"}, "type": "category"},
            "yaxis": {"title": {"text": "recognized"}, "tickformat": ".0%", "range": [0, 1.02]},
        },
    }
    figures.append(page.figure(bars, "How much of each label is recognized", 460, "recall", numbers))
    return [side_by_side(*figures)]


def _matrix(labels: list[str], matrix: np.ndarray) -> Figure:
    """What is right and what is wrong on scales of their own: a few mistakes would not be seen beside what is right."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(labels), dtype=bool)
    worst = max(float(shares[~right].max(initial=0)), 0.02)
    return {
        "data": [
            _cells(labels, matrix, shares, right, COLOURS[2], 1.0),
            _cells(labels, matrix, shares, ~right, COLOURS[4], worst),
        ],
        "layout": {
            "xaxis": {"title": {"text": "prediction"}, "type": "category", "showgrid": False},
            "yaxis": {"title": {"text": "label"}, "type": "category", "autorange": "reversed", "showgrid": False},
        },
    }


def _cells(
    labels: list[str], matrix: np.ndarray, shares: np.ndarray, shown: np.ndarray, colour: str, most: float
) -> dict[str, Any]:
    small = len(labels) <= 15
    return {
        "type": "heatmap",
        "z": [
            [round(share, 4) if here else None for share, here in zip(*row, strict=True)]
            for row in zip(shares.tolist(), shown.tolist(), strict=True)
        ],
        "text": [
            [str(count) if count and here else "" for count, here in zip(*row, strict=True)]
            for row in zip(matrix.tolist(), shown.tolist(), strict=True)
        ],
        "customdata": matrix.tolist(),
        **({"texttemplate": "%{text}"} if small else {}),
        "x": labels,
        "y": labels,
        "colorscale": [[0, "rgba(128,140,160,0.10)"], [1, with_opacity(colour, MOST_OPAQUE)]],
        "zmin": 0,
        "zmax": most,
        "xgap": 2 if small else 0,
        "ygap": 2 if small else 0,
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "%{y} taken for %{x}: %{customdata} examples (%{z:.1%})<extra></extra>",
    }


def _residuals(page: Page, final: dict[str, Any]) -> list[Markup]:
    targets, predictions = np.array(final["targets"], dtype=float), np.array(final["predictions"], dtype=float)
    found = []
    for column in range(min(targets.shape[1], _MOST_TARGETS)):
        which = f" of target {column}" if targets.shape[1] > 1 else ""
        low, first, quarter, middle, third, last, high = (row[column] for row in final["residuals"])
        told = [
            ("median error", middle),
            ("half of the errors within", f"{quarter:.4g} … {third:.4g}"),
            ("90% within", f"{first:.4g} … {last:.4g}"),
            ("98% within", f"{low:.4g} … {high:.4g}"),
        ]
        true, guess = targets[:, column], predictions[:, column]
        drawn, numbers = histogram({"examples": guess - true}, [COLOURS[0]], "error", "examples", 40)
        figures = [
            page.figure(_scatter(true, guess), f"Predictions{which} against targets", 420, f"scatter-{column}"),
            page.figure(drawn, f"Errors{which}: prediction − target", 420, f"residuals-{column}", numbers),
        ]
        found += [facts(told), side_by_side(*figures)]
    return found


def _scatter(true: np.ndarray, guess: np.ndarray) -> Figure:
    ends = [float(min(true.min(), guess.min())), float(max(true.max(), guess.max()))]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": true.tolist(),
                "y": guess.tolist(),
                "marker": {"color": COLOURS[0], "size": 6, "opacity": 0.7},
                "hovertemplate": "target %{x}, prediction %{y:.4g}<extra></extra>",
                "showlegend": False,
            },
            {
                "type": "scatter",
                "mode": "lines",
                "x": ends,
                "y": ends,
                "line": {"color": COLOURS[8], "dash": "dot", "width": 1.5},
                "hoverinfo": "skip",
                "showlegend": False,
            },
        ],
        "layout": {"xaxis": {"title": {"text": "target"}}, "yaxis": {"title": {"text": "prediction"}}},
    }
