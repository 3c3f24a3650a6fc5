"""What a run with differential privacy promises of any one client, and what the promise does not cover."""

from __future__ import annotations

from markupsafe import Markup

from hothouse.report.curves import curves, line
from hothouse.report.page import COLOURS, Page
from hothouse.report.parts import paragraph, table
from hothouse.results.records import RunRecords
from server.accounting import IN_WORDS

_COVERED = (
    "Covered is the sequence of global weights, round by round. Not covered are the other files of the run folder, "
    "such as metrics.jsonl and clients.jsonl, which tell who took part and how well the model does, and what clients "
    "agreed on before round 1."
)


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Each ε with its neighbouring relation, and how it grew."""
    if not records.scenario["federation"].get("privacy"):
        return []
    told = records.summary.get("privacy", [])
    if not told:
        return [
            paragraph("Changes were clipped, and there was no noise: no ε bounds what the weights tell of a client.")
        ]
    rounds = records.metrics[-1]["round"] if records.metrics else 0
    rows = [(one["meaning"], f"{one['epsilon']:.4g}", f"{one['delta']:g}", one["accountant"]) for one in told]
    lead = f"What the weights may tell of any one client after {rounds:,} round{'s' * (rounds != 1)}."
    lines = [
        line(*records.column(f"epsilon_{relation}"), words, colour)
        for (relation, words), colour in zip(IN_WORDS.items(), COLOURS, strict=False)
        if records.column(f"epsilon_{relation}")[0]
    ]
    figure = page.figure(
        curves(lines, "round", "ε"), "ε so far after each round, by the RDP accountant", 300, "epsilon"
    )
    return [paragraph(lead), table(["neighbours differ in", "ε", "δ", "accountant"], rows), figure, paragraph(_COVERED)]
