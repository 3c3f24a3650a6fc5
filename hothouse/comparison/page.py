"""The page of a comparison."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.comparison.compared import ComparedRuns, last_value
from hothouse.comparison.groups import Group
from hothouse.comparison.statistics import estimate
from hothouse.comparison.tables import as_csv, cells, difference_cells, headings, latex, markdown, pair_cells, unit
from hothouse.report.curves import band, curves, line
from hothouse.report.page import COLOURS, Figure, Page
from hothouse.report.parts import code, details, facts, paragraph, side_by_side, table
from hothouse.results.records import display_name, display_title

_MOST_POINTS = 300
_LONGEST_TITLE = 60


def comparison_page(comparison: ComparedRuns) -> Page:
    """What each group reached, its curves, paired tests, and what differs."""
    metric, groups = comparison.metric, comparison.groups
    page = Page(_title(groups), _lead(comparison))
    page.section("Results", *_reached(comparison))
    loss = metric.rpartition("_")[0] + "_loss"
    names = [metric] + ([loss] if loss != metric and all(group.rounds(loss) for group in groups) else [])
    drawn = [
        page.figure(_curves(groups, name), f"{display_title(name)} after each round", 400, f"curve-{name}")
        for name in names
    ]
    page.section("Curves", paragraph(_BAND), side_by_side(*drawn))
    name, scale = unit(comparison)
    costs = (("bytes", f"{name} sent", scale), ("seconds", "seconds", 1.0))
    against = [
        page.figure(
            _against(groups, metric, what, axis, by), f"{display_title(metric)} against {axis}", 380, f"against-{what}"
        )
        for what, axis, by in costs
    ]
    page.section("Cost", side_by_side(*against))
    page.section(
        "Seed by seed", page.figure(_seeds(comparison), f"Final {display_name(metric)} of each run", 360, "seeds")
    )
    if comparison.tests:
        page.section("Paired tests", paragraph(_TESTS), table(*pair_cells(comparison)))
    if comparison.differences:
        page.section("Differences", table(*difference_cells(comparison)))
    page.section("Runs", *_runs(comparison))
    page.section(
        "For papers",
        details("LaTeX", code(latex(comparison))),
        details("Markdown", code(markdown(comparison))),
        details("CSV", code(as_csv(comparison))),
    )
    return page


_BAND = (
    "Lines are means over seeds, bands Student's 95% intervals of the mean: mean ± t(0.975; n−1) · s / √n. A single "
    "run has no band; that of few seeds may go beyond the picture."
)
_TESTS = (
    "Runs of the same seed share what the scenarios have in common, so groups are compared seed by seed. p is "
    "two-sided; Holm's correction counts all pairs of this table that have one. Wilcoxon's test needs six seeds to say "
    "anything, and Student's differences that are not all alike. Scenarios without a complete run are not tested."
)


def _title(groups: list[Group]) -> str:
    labels = " · ".join(group.label for group in groups)
    return labels if len(labels) <= _LONGEST_TITLE else f"{len(groups)} scenarios compared"


def _lead(comparison: ComparedRuns) -> Markup:
    target = comparison.target
    how = "" if target.given else ", near the best scenario's mean"
    return paragraph(f"Scenarios compared by {display_name(comparison.metric)}. Target: {target.text()}{how}.")


def _reached(comparison: ComparedRuns) -> list[Markup]:
    told = paragraph("Means and 95% intervals over seeds; to the target, of the runs that reached it.")
    seeds = {seed for group in comparison.groups for seed in group.by_seed}
    numbers: list[tuple[str, Any]] = [
        ("scenarios", len(comparison.groups)),
        ("runs", sum(len(group.runs) for group in comparison.groups)),
        ("seeds", len(seeds)),
    ]
    return [facts(numbers), told, table(headings(comparison), cells(comparison))]


def _curves(groups: list[Group], metric: str) -> Figure:
    traces: list[dict[str, Any]] = []
    for group, colour in zip(groups, _colours(groups), strict=True):
        rounds = _thin_out(group.rounds(metric))
        estimates = [estimate(values) for values in np.array(group.values_at(metric, rounds)).T.tolist()]
        traces += _banded(group.label, rounds, estimates, colour)
    return curves(traces, "round", display_name(metric), yaxis=_axis_range(traces))


def _against(groups: list[Group], metric: str, what: str, axis: str, scale: float) -> Figure:
    """The mean metric against the mean cost so far."""
    traces: list[dict[str, Any]] = []
    for group, colour in zip(groups, _colours(groups), strict=True):
        rounds = _thin_out(group.rounds(metric))
        estimates = [estimate(values) for values in np.array(group.values_at(metric, rounds)).T.tolist()]
        costs = np.mean([_so_far(run.metrics, what, rounds) for run in group.runs], axis=0) / scale
        traces += _banded(group.label, [float(f"{cost:.6g}") for cost in costs.tolist()], estimates, colour)
    return curves(traces, axis, display_name(metric), hovermode="closest", yaxis=_axis_range(traces))


def _banded(label: str, x: list[Any], estimates: list[Any], colour: str) -> list[dict[str, Any]]:
    means = [float(f"{one.mean:.6g}") for one in estimates]
    drawn = {**line(x, means, label, colour), "legendgroup": label}
    if not estimates or estimates[0].runs < 2:
        return [drawn]
    low = [float(f"{one.mean - one.half_width:.6g}") for one in estimates]
    high = [float(f"{one.mean + one.half_width:.6g}") for one in estimates]
    return [band(x, low, high, label, colour, group=label), drawn]


def _axis_range(traces: list[dict[str, Any]]) -> dict[str, Any]:
    """An axis that shows the lines: the wide bands of two or three seeds would press them flat."""
    values = [value for trace in traces if "fill" not in trace for value in trace["y"]]
    if not values:
        return {}
    margin = 0.08 * (max(values) - min(values) or 1.0)
    return {"range": [min(values) - margin, max(values) + margin]}


def _so_far(metrics: list[dict[str, Any]], what: str, rounds: list[int]) -> list[float]:
    """Bytes or seconds to the end of each of these rounds."""
    spent = [line["bytes_down"] + line["bytes_up"] if what == "bytes" else line["seconds"] for line in metrics]
    total = dict(zip((line["round"] for line in metrics), np.cumsum(spent).tolist(), strict=True))
    return [total[number] for number in rounds]


def _seeds(comparison: ComparedRuns) -> Figure:
    every = sorted({seed for group in comparison.groups for seed in group.by_seed})
    axis = {"type": "category", "categoryorder": "array", "categoryarray": [str(seed) for seed in every]}
    traces = []
    for group, colour in zip(comparison.groups, _colours(comparison.groups), strict=True):
        seeds = list(group.by_seed)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": group.label,
                "x": [str(seed) for seed in seeds],
                "y": [_finite(last_value(run, comparison.metric)) for run in group.runs],
                "marker": {"color": colour, "size": 9, "opacity": 0.8},
                "hovertemplate": "seed %{x}: %{y:.4g}",
            }
        )
    return curves(traces, "seed", display_name(comparison.metric), hovermode="closest", xaxis=axis)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _runs(comparison: ComparedRuns) -> list[Markup]:
    rows = [
        [group.label, seed, run.status, run.summary.get("rounds", 0), str(run.folder)]
        for group in comparison.groups
        for seed, run in group.by_seed.items()
    ]
    listed = table(["scenario", "seed", "status", "rounds", "folder"], rows)
    left_out = [[str(folder), why] for folder, why in comparison.found.left_out]
    return [listed, *([paragraph("Left out:"), table(["folder", "because"], left_out)] if left_out else [])]


def _colours(groups: list[Group]) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(len(groups))]


def _thin_out(rounds: list[int]) -> list[int]:
    places = np.unique(np.linspace(0, len(rounds) - 1, min(len(rounds), _MOST_POINTS)).astype(int))
    return [rounds[place] for place in places]
