"""Everything that decided the outcome."""

from __future__ import annotations

from markupsafe import Markup

from hothouse.report.page import Page
from hothouse.report.parts import code, facts
from hothouse.results.records import RunRecords


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """The scenario with every default filled in, and the versions that ran it."""
    return [facts(records.summary.get("versions", {}).items()), code(records.scenario_text.rstrip())]
