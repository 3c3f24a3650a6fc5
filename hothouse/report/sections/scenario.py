"""Everything that decided the outcome."""

from __future__ import annotations

from hothouse.report.page import Page, code, facts
from hothouse.results.records import RunRecords


def parts(page: Page, records: RunRecords) -> list[str]:
    """The scenario with every default filled in, and the versions that ran it."""
    return [facts(records.summary.get("versions", {}).items()), code(records.scenario_text.rstrip())]
