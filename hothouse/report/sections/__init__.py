"""The sections of a run's report, in order: each module's `parts(page, records)` gives a section's HTML.

A section without anything to show gives no parts and is left out. A new one is a file here and a line in
`SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from hothouse.report.page import Page
from hothouse.report.sections import (
    attendance,
    communication,
    competition,
    errors,
    events,
    fairness,
    federation,
    generated,
    glance,
    learning,
    mistakes,
    privacy,
    reproduction,
    scenario,
    time,
)
from hothouse.results.records import RunRecords

Parts = Callable[[Page, RunRecords], list[Markup]]

SECTIONS: tuple[tuple[str, Parts], ...] = (
    ("At a glance", glance.parts),
    ("Learning", learning.parts),
    ("Generated examples", generated.parts),
    ("Data by client", federation.parts),
    ("Fairness", fairness.parts),
    ("Participation", attendance.parts),
    ("Competition", competition.parts),
    ("Privacy", privacy.parts),
    ("Communication", communication.parts),
    ("Time", time.parts),
    ("Errors", errors.parts),
    ("Worst mistakes", mistakes.parts),
    ("Events", events.parts),
    ("Scenario", scenario.parts),
    ("Reproduce", reproduction.parts),
)
