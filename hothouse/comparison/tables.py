"""A comparison as text: for the terminal, for papers, for other programs."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from hothouse.comparison.compared import ComparedRuns, Row
from hothouse.comparison.statistics import Estimate
from hothouse.results.records import display_name

_WIDE = 140
"""Columns of a terminal that the whole table needs."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "²": r"$^2$",
}


def headings(comparison: ComparedRuns) -> list[str]:
    """The columns of the table that people read; those that no group fills are left out."""
    return [heading for heading, _ in _columns(comparison)]


def cells(comparison: ComparedRuns, plus_minus: str = " ± ") -> list[list[str]]:
    """The table that people read, row by row."""
    columns = _columns(comparison)
    return [[cell(row, plus_minus) for _, cell in columns] for row in comparison.rows]


def pair_cells(comparison: ComparedRuns) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the paired tests."""
    head = ["pair", "seeds", "difference", "p (t-test)", "p (Holm)", "p (Wilcoxon)"]
    rows = [
        [
            f"{one.first} − {one.second}",
            str(one.difference.runs),
            one.difference.text(),
            *("–" if math.isnan(p) else f"{p:.3g}" for p in (one.t_test, one.holm, one.wilcoxon)),
        ]
        for one in comparison.tests
    ]
    return head, rows


def difference_cells(comparison: ComparedRuns) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of what differs between the scenarios."""
    rows = [
        [key, *("–" if key not in group.values else str(group.values[key]) for group in comparison.groups)]
        for key in comparison.differences
    ]
    return ["key", *(group.label for group in comparison.groups)], rows


def terminal(comparison: ComparedRuns, width: int) -> list[Table]:
    """Tables for a terminal of `width` columns; on a narrow one the results are cut to what matters most."""
    wide = width >= _WIDE
    target = f"target {comparison.target.text()}"
    head, rows = headings(comparison), cells(comparison)
    if not wide:
        shown = (*head[:3], "status", "reached target", "rounds to target")
        kept = [place for place, name in enumerate(head) if name in shown]
        head, rows = [head[place] for place in kept], [[row[place] for place in kept] for row in rows]
    tables = [_rich("Results", head, rows, f"mean and 95% interval over seeds; {target}")]
    if comparison.tests:
        tables.append(_rich("Paired over seeds", *pair_cells(comparison), caption=display_name(comparison.metric)))
    if comparison.differences:
        tables.append(_rich("Differences", *difference_cells(comparison)))
    return tables


def markdown(comparison: ComparedRuns) -> str:
    """The table in Markdown."""
    head = headings(comparison)
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *cells(comparison)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def latex(comparison: ComparedRuns) -> str:
    """The table in LaTeX, with the rules of booktabs; the best final value is bold."""
    best = _best(comparison)
    lines = [f"\\begin{{tabular}}{{l{'r' * (len(headings(comparison)) - 1)}}}", "\\toprule"]
    lines += [" & ".join(map(_escaped, headings(comparison))) + r" \\", "\\midrule"]
    for place, row in enumerate(cells(comparison, r" \pm ")):
        told = [_escaped(row[0]), *(_mathematical(cell) for cell in row[1:])]
        if place == best and len(comparison.rows) > 1:
            at = headings(comparison).index(display_name(comparison.metric))
            told[at] = rf"$\mathbf{{{_power(row[at])}}}$"
        lines.append(" & ".join(told) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def as_csv(comparison: ComparedRuns) -> str:
    """The table as CSV, each number in a column of its own."""
    rows = records(comparison)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    return text.getvalue()


def records(comparison: ComparedRuns) -> list[dict[str, Any]]:
    """The table for programs: means and half widths, None where there is nothing."""
    metric, target = comparison.metric, comparison.target
    found = []
    for row in comparison.rows:
        told: dict[str, Any] = {"label": row.label, "runs": row.runs, "status": row.status}
        for name, value in (
            (metric, row.final),
            (f"{metric}_at_best_round", row.chosen),
            (f"{metric}_worst_tenth", row.worst),
        ):
            told |= _numbers(name, value)
        told |= {"target_metric": target.metric, "target": target.value, "runs_at_target": len(row.reached)}
        for name, what in (("rounds", "round"), ("bytes", "bytes"), ("seconds", "seconds")):
            told |= _numbers(f"{name}_to_target", row.to_target(what))
        found.append(told | _numbers("seconds", row.seconds) | _numbers("bytes", row.bytes))
    return found


def unit(comparison: ComparedRuns) -> tuple[str, float]:
    """The unit that suits the comparison's bytes."""
    most = max(row.bytes.mean for row in comparison.rows)
    return next(((name, scale) for name, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if most >= scale), ("B", 1.0))


def _columns(comparison: ComparedRuns) -> list[tuple[str, Any]]:
    """Headings, and what makes a row's cell of each."""
    rows, (name, scale) = comparison.rows, unit(comparison)

    def told(pick: Any) -> Any:
        return lambda row, sign: "–" if (found := pick(row)) is None else found.text(sign)

    def bytes_of(row: Row) -> Estimate | None:
        found = row.to_target("bytes")
        return found and Estimate(found.mean / scale, found.half_width / scale, found.runs)

    columns: list[tuple[str, Any]] = [
        ("scenario", lambda row, sign: row.label),
        ("runs", lambda row, sign: str(row.runs)),
        *([("status", lambda row, sign: row.status)] if any(row.status != "complete" for row in rows) else []),
        (display_name(comparison.metric), told(lambda row: row.final)),
    ]
    if any(row.chosen for row in rows):
        columns.append(("at the best round", told(lambda row: row.chosen)))
    if any(row.worst for row in rows):
        columns.append(("worst tenth of clients", told(lambda row: row.worst)))
    columns += [
        ("reached target", lambda row, sign: f"{len(row.reached)} of {row.runs}"),
        ("rounds to target", told(lambda row: row.to_target("round"))),
        (f"{name} to target", told(bytes_of)),
        ("seconds to target", told(lambda row: row.to_target("seconds"))),
        ("seconds in all", told(lambda row: row.seconds)),
    ]
    return columns


def _numbers(name: str, value: Estimate | None) -> dict[str, float | None]:
    half_width = None if value is None or math.isnan(value.half_width) else value.half_width
    return {name: None if value is None else value.mean, f"{name}_half_width": half_width}


def _best(comparison: ComparedRuns) -> int | None:
    """The place of the complete scenario with the best final value."""
    sign = -1 if comparison.found.more_is_better(comparison.metric) else 1
    finals = [
        (sign * row.final.mean, place)
        for place, (row, group) in enumerate(zip(comparison.rows, comparison.groups, strict=True))
        if row.final is not None and group.complete
    ]
    return min(finals)[1] if finals else None


def _rich(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> Table:
    table = Table(title=title, caption=caption or None)
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _mathematical(cell: str) -> str:
    if cell == "–":
        return "--"
    return f"${_power(cell)}$" if r"\pm" in cell else _escaped(cell)


def _power(cell: str) -> str:
    """A power of ten as LaTeX has it."""
    return re.sub(r"e(-?)0*(\d+)$", r" \\times 10^{\1\2}", cell)
