"""The ladder of a competition, and where the final weights came from."""

from __future__ import annotations

from collections import Counter
from typing import Any

from markupsafe import Markup

from hothouse.report.curves import curves, line
from hothouse.report.page import COLOURS, Page
from hothouse.report.parts import details, facts, paragraph, side_by_side, table
from hothouse.results.ancestry import trace_back as line_of
from hothouse.results.ancestry import winner
from hothouse.results.records import RunRecords, display_name

_MOST_POINTS, _MOST_ENTRIES = 5000, 30


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """What the networks scored in each round, who won, and the final weights' line back to round 0."""
    ladder = [entry for entry in records.ladder if entry["clients"]]
    if not ladder:
        return []
    last, line_back = ladder[-1], line_of(ladder)
    winners = [winner(entry) for entry in ladder]
    names = [records.name_of(client) for client in winners]
    wins = Counter(names)
    champion = max(wins, key=lambda name: wins[name])
    told: list[tuple[str, Any]] = [
        ("judged by", display_name(last["metric"])),
        ("winner of the last round", names[-1]),
        ("most wins", f"{champion} ({wins[champion]} rounds)"),
        ("different winners", len(wins)),
        ("generations of the final weights", len(line_back)),
    ]
    if last.get("reported") is not None:
        told.append(("final model", f"{names[-1]} alone, which scored better than the mean that is spread"))
    figures = [
        page.figure(_scores(records, ladder), "What each network scored in each round", 380, "ladder"),
        page.figure(
            _lineage(records, ladder, winners, line_back), "Winners, and the final weights' line", 380, "lineage"
        ),
    ]
    ranked = [
        [place, records.name_of(client), score, records.name_of(parent) if parent >= 0 else "the start", f"{share:.0%}"]
        for place, (client, score, parent, share) in enumerate(_entries(last)[:_MOST_ENTRIES], 1)
    ]
    ranking = table(["rank", "client", "score", "began from", "share"], ranked)
    steps = [[number, records.name_of(client)] for number, client in line_back]
    by_clients = last["metric"].startswith("holdout")
    judge = "by the round's clients on their held-out examples" if by_clients else "by the server on its own examples"
    return [
        paragraph(f"Networks train on their clients' examples and are judged {judge}; the best weights are spread."),
        facts(told),
        side_by_side(*figures),
        details(f"The ladder of round {last['round']}", ranking),
        details("The final weights' line", table(["round", "client"], steps)),
    ]


def _entries(entry: dict[str, Any]) -> list[tuple[int, float | None, int, float]]:
    return list(zip(entry["clients"], entry["scores"], entry["parents"], entry["shares"], strict=True))


def _scores(records: RunRecords, ladder: list[dict[str, Any]]) -> dict[str, Any]:
    points = [
        (entry["round"], score, records.name_of(client))
        for entry in ladder
        for client, score, _, _ in _entries(entry)
        if score is not None
    ]
    points = points[:: -(-len(points) // _MOST_POINTS) or 1]
    best = [(entry["round"], entry["scores"][0]) for entry in ladder]
    everyone = {
        "type": "scatter",
        "mode": "markers",
        "name": "networks",
        "x": [number for number, _, _ in points],
        "y": [score for _, score, _ in points],
        "text": [name for _, _, name in points],
        "marker": {"color": COLOURS[8], "size": 5, "opacity": 0.8},
        "hovertemplate": "client %{text}: %{y:.4g}<extra></extra>",
    }
    top = line([number for number, _ in best], [score for _, score in best], "best of the round", COLOURS[1])
    return curves([everyone, top], "round", display_name(ladder[-1]["metric"]), hovermode="closest")


def _lineage(
    records: RunRecords, ladder: list[dict[str, Any]], winners: list[int], line_back: list[tuple[int, int]]
) -> dict[str, Any]:
    won = {
        "type": "scatter",
        "mode": "markers",
        "name": "winner of the round",
        "x": [entry["round"] for entry in ladder],
        "y": [records.name_of(client) for client in winners],
        "marker": {"color": COLOURS[8], "size": 9, "symbol": "circle-open"},
        "hovertemplate": "client %{y} won round %{x}<extra></extra>",
    }
    rounds = [number for number, _ in reversed(line_back)]
    there = sorted({*winners, *(client for _, client in line_back)})
    order = {"type": "category", "categoryarray": [records.name_of(client) for client in there]}
    names: list[Any] = [records.name_of(client) for _, client in reversed(line_back)]
    through = {
        **line(rounds, names, "line of the final weights", COLOURS[1]),
        "mode": "lines+markers",
        "hovertemplate": "round %{x}: client %{y}<extra></extra>",
    }
    return curves([won, through], "round", "client", hovermode="closest", yaxis=order)
