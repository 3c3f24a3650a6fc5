"""What went wrong and was dealt with."""

from __future__ import annotations

from collections import Counter
from typing import Any

from markupsafe import Markup

from hothouse.report.page import Page
from hothouse.report.parts import details, facts, format_value, paragraph, table
from hothouse.results.records import RunRecords

_ORDINARY = ("checkpoint", "resumed")
_MOST_LINES, _MOST_CLIENTS, _MOST_LETTERS = 200, 10, 300


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """How often what happened, and each event that is no routine."""
    counts = Counter(event["event"] for event in records.events)
    told = [event for event in records.events if event["event"] not in _ORDINARY]
    rows = [[event["round"], event["event"], _who(event), _what(event)] for event in told[:_MOST_LINES]]
    if not rows:
        return [facts(counts.items()), paragraph("Nothing went wrong: no retry, no exclusion.")]
    heading = f"{len(told):,} events" + (f", the first {_MOST_LINES}" if len(told) > _MOST_LINES else "")
    listed = table(["round", "event", "clients", "what"], rows)
    return [facts(counts.items()), listed if len(rows) <= 20 else details(heading, listed)]


def _who(event: dict[str, Any]) -> str:
    clients = event.get("clients", [])
    more = f" and {len(clients) - _MOST_CLIENTS} more" if len(clients) > _MOST_CLIENTS else ""
    return ", ".join(map(str, clients[:_MOST_CLIENTS])) + more


def _what(event: dict[str, Any]) -> str:
    if "reason" in event:
        return str(event["reason"])[:_MOST_LETTERS]
    rest = {name: value for name, value in event.items() if name not in ("round", "event", "clients", "detail")}
    return ", ".join(f"{name}: {format_value(value)}" for name, value in rest.items())[:_MOST_LETTERS]
