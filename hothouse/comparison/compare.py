"""A comparison of runs: what was found, and the forms in which it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from hothouse.comparison.compared import ComparedRuns, Target, last_value
from hothouse.comparison.groups import Group, find_runs, grouped
from hothouse.comparison.page import comparison_page
from hothouse.comparison.statistics import estimate
from hothouse.comparison.tables import as_csv, latex, markdown, records
from hothouse.report.page import Page
from hothouse.results.records import SPLITS
from hothouse.results.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd


class Comparison(ComparedRuns):
    """Runs beside each other. `print(comparison.markdown())`, `comparison.table`, `comparison.page()`."""

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a table: means, half widths of their intervals, and counts."""
        import pandas as pd

        return pd.DataFrame(records(self))

    def markdown(self) -> str:
        """The table in Markdown."""
        return markdown(self)

    def latex(self) -> str:
        """The table in LaTeX, for the package booktabs."""
        return latex(self)

    def csv(self) -> str:
        """The table as CSV, a mean and a half width to a column."""
        return as_csv(self)

    def page(self) -> Page:
        """The page."""
        return comparison_page(self)

    def _repr_html_(self) -> str:
        return str(self.table.to_html())


def compare(
    runs: Iterable[str | Path | RunFolder] | str | Path, *, metric: str | None = None, target: str | None = None
) -> Comparison:
    """Compare runs: folders, folders of runs, patterns such as `runs/mine-*`, or what `hothouse.run` returned.

    `metric` is a column of metrics.jsonl or the end of one: `accuracy` is test_accuracy, where there are test
    examples. `target` is METRIC=VALUE; by default it is 95% of the best group's mean final metric (where less is
    better, that mean divided by 0.95).

    Raises InputError where there is nothing to compare.
    """
    given = [runs] if isinstance(runs, str | Path) else list(runs)
    found = grouped(find_runs([one if isinstance(one, str | Path) else one.folder for one in given]))
    if not found.groups:
        raise InputError("none of these runs has a measured round yet")
    name = _column(found.groups, metric or _default(found.groups))
    better = found.more_is_better(name)
    if target is None:
        means = [(group, estimate([last_value(run, name) for run in group.runs]).mean) for group in found.groups]
        finite = [(group, mean) for group, mean in means if math.isfinite(mean)]
        finals = [mean for group, mean in finite if group.complete] or [mean for _, mean in finite]
        if not finals:
            raise InputError(f"{name}: no scenario has a finite value after the last round in all of its runs")
        return Comparison(found, name, Target(name, _near(finals, better), False, better))
    wanted, equals, text = target.partition("=")
    try:
        value = float(text)
    except ValueError:
        equals = ""
    if not equals:
        raise InputError(f"--target {target}: expected METRIC=VALUE, such as --target accuracy=0.95")
    column = _column(found.groups, wanted.strip())
    return Comparison(found, name, Target(column, value, True, found.more_is_better(column)))


def _near(finals: Sequence[float], more_is_better: bool) -> float:
    """A little less than the best."""
    if more_is_better:
        best = max(finals)
        return best * 0.95 if best > 0 else best
    best = min(finals)
    return best / 0.95 if best > 0 else best


def _default(groups: Sequence[Group]) -> str:
    names = {run.primary[0] for group in groups for run in group.runs if run.primary is not None}
    if len(names) > 1:
        raise InputError(f"these runs are judged by different metrics ({', '.join(sorted(names))}); name one: --metric")
    return names.pop()


def _column(groups: Sequence[Group], name: str) -> str:
    """The column that a name means, which every run must have."""
    columns = [{key for line in run.metrics for key in line} for group in groups for run in group.runs]
    there: set[str] = set.intersection(*columns)
    for candidate in (name, *(f"{split}_{name}" for split in SPLITS)):
        if candidate in there and any(run.column(candidate)[1] for group in groups for run in group.runs):
            return candidate
    measured = sorted(key for key in there if key.startswith(SPLITS))
    raise InputError(
        f"{name}: not measured by all of these runs; they have {', '.join(measured) or 'nothing'} in common"
    )
