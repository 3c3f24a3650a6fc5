"""The report of a run: one page, from what is in its folder."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from hothouse.report.page import Page, write_page
from hothouse.report.parts import part
from hothouse.report.sections import SECTIONS
from hothouse.results.records import RunRecords, naming_folder, read

_PILLS = {"complete": "good", "incomplete": "bad", "running": "wait"}


def write_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of the run in `folder`, by default as report.html in it; returns its path.

    Raises InputError where there is no run or the page cannot be written.
    """
    records = read(folder)
    with naming_folder(records.folder):
        page = run_page(records)
    return write_page(page, Path(out) if out is not None else records.folder / "report.html")


def run_page(records: RunRecords) -> Page:
    """The page of a run, whether it has ended or not."""
    page = Page(str(records.scenario.get("name", records.folder.name)), _lead(records))
    for heading, parts in SECTIONS:
        found = parts(page, records)
        if found:
            page.section(heading, *found)
    return page


def _lead(records: RunRecords) -> Markup:
    """What was run, and how it ended."""
    scenario, summary, status = records.scenario, records.summary, records.status
    federation, data = scenario["federation"], scenario["data"]
    strategy, source = federation["strategy"]["name"], data["source"]
    what = " ".join(str(source[key]) for key in ("kind", "name") if key in source)
    clients = f"{summary['clients']:,} clients" if "clients" in summary else "clients"
    told = (
        f"{strategy} over {clients} with {what} data, cut by {data['partition']['scheme']}; "
        f"{summary.get('rounds', 0)} of {federation['rounds']} rounds, seed {scenario['seed']}."
    )
    reason = summary.get("reason", "") if status == "incomplete" else summary.get("stopped", "")
    return part("lead", _PILLS.get(status, "soft"), status, told, reason)
