"""Where the time went: the phases of each round, and how busy the workers were."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.report.curves import curves, line
from hothouse.report.figures import COLOUR_BAR
from hothouse.report.page import COLOURS, Page, duration
from hothouse.report.parts import facts, side_by_side, table
from hothouse.results.records import RunRecords

_PHASES = ("training", "evaluation", "aggregation", "checkpoint")
_MOST_BARS, _MOST_WORKERS_IN_LINES, _MOST_LINES = 400, 4, 200


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Seconds by phase, and the share of each round in which workers worked."""
    rounds = records.metrics
    if not rounds:
        return []
    seconds = [entry["seconds"] for entry in rounds]
    told: list[tuple[str, Any]] = [("in all", duration(sum(seconds)))]
    if len(rounds) > 1:
        told += [
            ("median round", duration(float(np.median(seconds[1:])))),
            ("longest round", duration(max(seconds[1:]))),
        ]
    numbers = table(
        ["round", *_PHASES, "in all"],
        [
            [one["round"], *(one.get(f"{name}_seconds") for name in _PHASES), one["seconds"]]
            for one in rounds[:_MOST_LINES]
        ],
    )
    figures = [page.figure(_phases(rounds), "Seconds of each round, by phase", 340, "phases", numbers)]
    if records.workers:
        busy, share = _busy(records)
        told += [("workers", len(busy)), ("busy, on average", f"{share:.0%}")]
        rows = [entry["round"] for entry in records.workers]
        title = "Share of each round in which each worker worked"
        figures.append(page.figure(_utilisation(rows, busy), title, 340, "workers"))
    return [facts(told), side_by_side(*figures)]


def _phases(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    # Of very many rounds, as many neighbours are put together as it takes.
    width = -(-len(rounds) // _MOST_BARS)
    starts = range(0, len(rounds), width)
    x = [rounds[start]["round"] for start in starts]
    traces = []
    for name, colour in zip(_PHASES, COLOURS, strict=False):
        values = [one.get(f"{name}_seconds") or 0.0 for one in rounds]
        if any(values):
            means = [float(np.mean(values[start : start + width])) for start in starts]
            traces.append(
                {
                    "type": "bar",
                    "name": name,
                    "x": x,
                    "y": [float(f"{value:.4g}") for value in means],
                    "marker": {"color": colour},
                    "hovertemplate": "%{y:.3~s}s",
                }
            )
    return curves(traces, "round", "seconds", barmode="stack", bargap=0.1 if len(x) < 100 else 0)


def _busy(records: RunRecords) -> tuple[list[list[float | None]], float]:
    """For each worker the share of each round in which it worked, and their mean over the rounds of training.

    In round 0 workers also answer what comes before its clock begins.
    """
    lasted = {entry["round"]: entry["seconds"] for entry in records.metrics}
    workers = max(len(entry["seconds"]) for entry in records.workers)
    busy: list[list[float | None]] = [[] for _ in range(workers)]
    worked, there = 0.0, 0.0
    for entry in records.workers:
        whole = lasted.get(entry["round"])
        for worker in range(workers):
            mine = entry["seconds"][worker] if worker < len(entry["seconds"]) else None
            busy[worker].append(round(min(1.0, mine / whole), 4) if whole and mine is not None else None)
            if whole and mine is not None and entry["round"]:
                worked, there = worked + mine, there + whole
    return busy, worked / there if there else 0.0


def _utilisation(rounds: list[int], busy: list[list[float | None]]) -> dict[str, Any]:
    share = {"tickformat": ".0%", "range": [0, 1.02]}
    if len(busy) <= _MOST_WORKERS_IN_LINES:
        traces = [
            {**line(rounds, shares, f"worker {worker}", COLOURS[worker]), "hovertemplate": "%{y:.0%}"}
            for worker, shares in enumerate(busy)
        ]
        return curves(traces, "round", "share of the round", yaxis=share)
    return {
        "data": [
            {
                "type": "heatmap",
                "z": busy,
                "x": rounds,
                "y": [str(worker) for worker in range(len(busy))],
                "zmin": 0,
                "zmax": 1,
                "colorscale": "Viridis",
                "colorbar": {**COLOUR_BAR, "tickformat": ".0%"},
                "hovertemplate": "worker %{y} worked %{z:.0%} of round %{x}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "round"}},
            "yaxis": {"title": {"text": "worker"}, "type": "category"},
        },
    }
