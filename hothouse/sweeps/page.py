"""The page of a sweep: what was varied, what it did, which run to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from common.run_files import read_text
from hothouse.report.numbers import MOST_ROWS
from hothouse.report.page import Page
from hothouse.report.parts import code, facts, paragraph, part, side_by_side, table
from hothouse.results.records import display_name, display_title
from hothouse.sweeps.figures import importance_bars, parallel_coordinates, run_curves, slice_of, trials
from hothouse.sweeps.importance import importance
from hothouse.sweeps.names import short_keys, value_name
from hothouse.sweeps.result import RUNS, SCENARIO, Sweep
from hothouse.sweeps.summary import best_sentence, completed_text, lines, mean_with_interval, summary_metrics

_MOST_ROWS = 500
_MOST_SLICES = 8


def sweep_page(sweep: Sweep) -> Page:
    """The page of a sweep, finished or not."""
    metric, summary = summary_metrics(sweep)[0], sweep.summary
    page = Page(f"{summary['name']}: a sweep of {summary['planned']} runs", _lead(sweep, metric))
    statuses = sweep.table.status.tolist() if len(sweep) else []
    counts = [(status, statuses.count(status)) for status in dict.fromkeys(statuses)]
    best = [paragraph(best_sentence(sweep))] if best_sentence(sweep) else []
    page.section("At a glance", facts([("planned", summary["planned"]), *counts]), *best)
    if _finished(sweep, metric):
        _figures(page, sweep, metric)
    if any(len(line.statuses) > 1 for line in lines(sweep)):
        page.section("Over seeds", _over_seeds(sweep))
    page.section("Runs", _runs(sweep))
    if sweep.failed:
        page.section("Failed runs", table(["run", "reason"], sweep.failed.items()))
    page.section("Scenario", code(read_text(sweep.folder / SCENARIO)))
    again = [f"hothouse sweep '{sweep.folder}'   # finished runs are not repeated"]
    if sweep.best is not None:
        again.append(f"hothouse run '{sweep.best.folder}/scenario.yaml'   # the best run alone, with the same bits")
    page.section("Reproduce", code("\n".join(again)))
    return page


def _lead(sweep: Sweep, metric: str) -> Markup:
    if sweep.goal is not None:
        lead = f"Runs are judged by {display_name(metric)}, never by test examples."
    elif metric.startswith("test_"):
        lead = "No examples are kept for judging: what is shown was measured on test examples, so choose nothing by it."
    else:
        lead = f"No examples are kept for judging; shown is {display_name(metric)}."
    return paragraph(lead)


def _finished(sweep: Sweep, metric: str) -> bool:
    return metric in sweep.table and bool(((sweep.table.status == "complete") & sweep.table[metric].notna()).any())


def _figures(page: Page, sweep: Sweep, metric: str) -> None:
    judged, names = display_name(metric), short_keys(sweep.keys)
    note = f"Each finished run is a line through its values of {', '.join(names.values())} to its {judged}: orange is "
    note += "high, blue is low."
    numbers = _values(sweep, sweep.keys, metric)
    drawn = page.figure(parallel_coordinates(sweep, metric), f"Values and {judged}", 460, numbers=numbers, note=note)
    page.section("Parallel coordinates", drawn)
    shares = importance(sweep, metric)
    if shares:
        how = "fANOVA" if sweep.scenario.search else "analysis of variance"
        note = (
            f"Share of the variance that each key explains by itself ({how}), and what they leave, which is what keys "
        )
        note += "do together, and chance: "
        note += ", ".join(f"{names.get(key, key)} {share:.0%}" for key, share in shares.items())
        title = f"What decides the {judged}"
        page.section("Importance", page.figure(importance_bars(shares), title, 120 + 40 * len(shares), note=note))
    shown = [
        page.figure(
            slice_of(sweep, key, metric),
            f"{display_title(metric)} by {names[key]}",
            300,
            numbers=_values(sweep, [key], metric),
        )
        for key in sweep.keys[:_MOST_SLICES]
    ]
    page.section("Key by key", side_by_side(*shown))
    thick = f"The thick line is the best run, {sweep.best.folder.name}." if sweep.best is not None else ""
    lines = page.figure(run_curves(sweep, metric), f"{display_title(metric)} of every run, round by round", note=thick)
    page.section("Curves", lines)
    if sweep.scenario.search:
        title = f"{display_title(metric)} of each trial in the order in which they were asked for, and the best so far"
        page.section("Trials", page.figure(trials(sweep, metric), title))


def _values(sweep: Sweep, keys: Sequence[str], metric: str) -> Markup:
    """Every finished run's values of these keys and what it came to, the highest first."""
    finished = sweep.table[(sweep.table.status == "complete") & sweep.table[metric].notna()]
    rows = finished.sort_values(metric, ascending=False).head(MOST_ROWS).to_dict("records")
    names = short_keys(keys)
    cells = [[row["run"], *(_cell(row[key]) for key in keys), float(row[metric])] for row in rows]
    return table(["run", *names.values(), display_name(metric)], cells)


def _over_seeds(sweep: Sweep) -> Markup:
    keys, metrics = short_keys(key for key in sweep.keys if key != "seed"), summary_metrics(sweep)
    rows = [
        [
            *(_cell(value) for value in line.values.values()),
            completed_text(line.statuses),
            *(mean_with_interval(line, name) or "–" for name in metrics),
        ]
        for line in lines(sweep)
    ]
    head = [*keys.values(), "complete runs", *(display_name(name) for name in metrics)]
    return table(head, rows, "Mean over the seeds with its 95% interval (Student's t).")


def _runs(sweep: Sweep) -> Markup:
    names, metrics = short_keys(sweep.keys), [name for name in summary_metrics(sweep) if name in sweep.table]
    rows = []
    for row in sweep.table.head(_MOST_ROWS).to_dict("records"):
        values = [_cell(row[key]) for key in sweep.keys]
        numbers = [None if row[name] != row[name] else float(row[name]) for name in metrics]
        rows.append([_link(sweep, str(row["run"])), *values, row["status"], row["rounds"], *numbers])
    head = ["run", *names.values(), "status", "rounds", *(display_name(name) for name in metrics)]
    caption = "" if len(sweep) <= _MOST_ROWS else f"The first {_MOST_ROWS} of {len(sweep)}; results.csv has all."
    return table(head, rows, caption)


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float) else value_name(value)


def _link(sweep: Sweep, name: str) -> Markup:
    folder = sweep.folder / RUNS / name
    if not folder.is_dir():
        return escape(name)
    inside = "report.html" if (folder / "report.html").is_file() else ""
    return part("link", f"{RUNS}/{quote(name)}/{inside}", name)
