"""How evenly the clients are served, on the examples that each keeps to itself: by the global model, by their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.report.curves import curves, line
from hothouse.report.histogram import histogram
from hothouse.report.page import COLOURS, Figure, Page
from hothouse.report.parts import facts, paragraph, side_by_side, table
from hothouse.results.records import FAIRNESS, RunRecords, display_name, display_title

_MOST_LINES = 200


@dataclass(frozen=True)
class _ClientMetrics:
    """What the clients use."""

    name: str
    split: str
    """What its columns begin with in metrics.jsonl, and its name in clients.jsonl."""
    colour: str
    dash: str = "solid"


_GLOBAL = _ClientMetrics("the global model", "holdout", COLOURS[2])
_OWN = _ClientMetrics("clients' own models", "personal", COLOURS[1], "dash")


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Each client's last metric in order, how they spread, and how the worst and the best tenth fared."""
    if not records.evaluated or records.primary is None:
        return []
    (metric, more_is_better), last = records.primary, records.evaluated[-1]
    served = _served(last)
    values = [np.array(last[one.split][metric], dtype=float) for one in served]
    order = np.argsort(values[0] if more_is_better else -values[0], kind="stable")
    order = order[~np.isnan(values[0][order])]
    names = [records.name_of(last["holders"][place]) for place in order]
    ranked = [found[order].round(6).tolist() for found in values]
    title = f"{display_title(metric)} of each client, the worst first"
    note = f"{len(order)} clients after round {last['round']}; the dotted line is their mean."
    if len(served) > 1:
        note = f"{note} Bars are {served[0].name}, points {served[1].name}."
    numbers = table(
        ["client", *(one.name if len(served) > 1 else display_name(metric) for one in served)],
        list(zip(names, *ranked, strict=True))[:_MOST_LINES],
    )
    spread, spread_numbers = histogram(
        dict(zip([one.name for one in served], map(np.array, ranked), strict=True)),
        [one.colour for one in served] if len(served) > 1 else [COLOURS[0]],
        display_name(metric),
        "clients",
    )
    mean = records.column(f"{served[0].split}_{metric}_mean")[1][-1:]
    pair = [
        page.figure(_in_order(served, ranked, names, metric, mean), title, 320, "fairness-clients", numbers, note),
        page.figure(
            spread, f"How many clients have which {display_name(metric)}", 320, "fairness-histogram", spread_numbers
        ),
    ]
    subject = " and ".join(one.name for one in served)
    told = f"{subject[:1].upper()}{subject[1:]}, on the examples that each client holds out; every client counts once."
    return [
        paragraph(told),
        _numbers(records, served, metric),
        side_by_side(*pair, _over_time(page, records, served, metric)),
    ]


def _served(last: dict[str, Any]) -> list[_ClientMetrics]:
    """The global model, clients' own models, or both."""
    if "personal" not in last:
        return [_GLOBAL]
    # Where there is no global model, what is said of held-out examples is said of the clients' own.
    return [_OWN] if last["personal"] == last["holdout"] else [_GLOBAL, _OWN]


def _numbers(records: RunRecords, served: list[_ClientMetrics], metric: str) -> Markup:
    """How the clients' metrics spread."""
    rows: list[tuple[Any, ...]] = []
    for name, meaning in FAIRNESS.items():
        found = [records.column(f"{one.split}_{metric}_{name}")[1] for one in served]
        if all(found):
            rows.append(
                (f"{display_name(metric)}, {meaning}" if name != "jain" else meaning, *(one[-1] for one in found))
            )
    if len(served) == 1:
        return facts([(name, value) for name, value in rows])
    return table(["measure", *(one.name for one in served)], rows)


def _in_order(
    served: list[_ClientMetrics], ranked: list[list[float]], names: list[str], metric: str, mean: list[float]
) -> Figure:
    ranks, hover = list(range(1, len(names) + 1)), f"client %{{text}}: {display_name(metric)} %{{y:.4g}}<extra></extra>"
    common = {"x": ranks, "text": names, "hovertemplate": hover}
    bars = {"type": "bar", "y": ranked[0], "textposition": "none", "marker": {"color": served[0].colour}}
    traces: list[dict[str, Any]] = [{**common, **bars, "name": served[0].name}]
    if len(served) > 1:
        points = {"type": "scatter", "mode": "markers", "y": ranked[1], "marker": {"color": served[1].colour}}
        traces.append({**common, **points, "name": served[1].name})
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "rank"}},
            "yaxis": {"title": {"text": display_name(metric)}},
            "bargap": 0.1 if len(names) <= 100 else 0,
            "shapes": _mean(mean[0]) if mean else [],
            "showlegend": len(served) > 1,
        },
    }


def _over_time(page: Page, records: RunRecords, served: list[_ClientMetrics], metric: str) -> Markup:
    traces = []
    for one in served:
        for name, colour in (("best_10", COLOURS[0]), ("mean", COLOURS[2]), ("worst_10", COLOURS[4])):
            rounds, values = records.column(f"{one.split}_{metric}_{name}")
            told = f"{FAIRNESS[name]}, {one.name}" if len(served) > 1 else FAIRNESS[name]
            if rounds:
                traces.append(line(rounds, values, told, colour, dash=one.dash if len(served) > 1 else "solid"))
    if not traces:
        return Markup()
    title = f"{display_title(metric)} of the best and the worst tenth of the clients"
    return page.figure(curves(traces, "round", display_name(metric)), title, 320, "fairness-rounds")


def _mean(mean: float) -> list[dict[str, object]]:
    at = {"x0": 0, "x1": 1, "xref": "paper", "y0": mean, "y1": mean}
    return [{"type": "line", **at, "line": {"dash": "dot", "width": 1.5, "color": COLOURS[8]}}]
