"""How the model learned: loss and metric, round by round, and how they spread over the clients."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.report.curves import band, curves, line
from hothouse.report.page import COLOURS, Figure, Page
from hothouse.report.parts import side_by_side, table
from hothouse.results.records import SPLITS, RunRecords, display_name, display_title

_MOST_LINES = 200
COLOUR = dict(zip(("test", "validation", "holdout", "train", "personal"), COLOURS, strict=False))


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """A figure of the losses, one of the task's metric, one of each of the scenario's own and the network's."""
    if not records.metrics:
        return []
    primary = [records.primary[0]] if records.primary else []
    names = dict.fromkeys(["loss", *primary, *records.own_metrics, *records.network_metrics])
    figures = []
    note = (
        "The band holds the middle 80% of the clients, each on its own held-out examples." if records.evaluated else ""
    )
    for name in names:
        drawn, numbers = _figure(records, name), _numbers(records, name)
        title = f"{display_title(name)} after each round"
        figures.append(page.figure(drawn, title, 380, f"learning-{name}", numbers, note))
    return [side_by_side(*figures)]


def _figure(records: RunRecords, name: str) -> Figure:
    traces: list[dict[str, Any]] = []
    if records.evaluated:
        rounds = [entry["round"] for entry in records.evaluated]
        spread = [np.array(entry["holdout"][name], dtype=float) for entry in records.evaluated]
        low, high = np.array([np.nanpercentile(values, [10, 90]) for values in spread]).T.round(6).tolist()
        traces.append(band(rounds, low, high, "clients, middle 80%", COLOUR["holdout"]))
    for split in (*SPLITS, "train"):
        rounds, values = records.column(f"{split}_{name}")
        if rounds:
            traces.append(line(rounds, values, display_name(split), COLOUR[split]))
    return curves(traces, "round", display_name(name), shapes=_best(records))


def _best(records: RunRecords) -> list[dict[str, Any]]:
    """A line at the best round."""
    best = records.summary.get("best")
    if not best:
        return []
    # Beside the line, where there is room for it.
    side = "left" if best["round"] <= records.metrics[-1]["round"] / 2 else "right"
    label = {"text": f"best, round {best['round']}", "font": {"size": 11}, "textangle": 0, "xanchor": side}
    at = {"x0": best["round"], "x1": best["round"], "y0": 0, "y1": 1, "yref": "paper"}
    return [{"type": "line", **at, "line": {"dash": "dot", "width": 1, "color": COLOURS[8]}, "label": label}]


def _numbers(records: RunRecords, name: str) -> Markup:
    columns = [f"{split}_{name}" for split in (*SPLITS, "train")]
    there = [column for column in columns if records.column(column)[0]]
    lines = [entry for entry in records.metrics if any(column in entry for column in there)]
    chosen = np.unique(np.linspace(0, len(lines) - 1, min(len(lines), _MOST_LINES)).astype(int)).tolist()
    rows = [[lines[at]["round"], *(lines[at].get(column) for column in there)] for at in chosen]
    return table(["round", *map(display_name, there)], rows)
