"""What a model of documents writes: samples as it learned, how it reads a held-out line, and what it gives back."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from hothouse.report.parts import code, paragraph, part, side_by_side
from hothouse.report.sections.tunes import piano_roll
from hothouse.results.records import RunRecords

_MOST_BITS = 8.0
"""A token that costs as much as this, or more, has the full colour."""


def parts(records: RunRecords) -> list[Markup]:
    """Texts, a line in colours, and how much of samples stands in clients' documents."""
    made, found = records.generated, []
    final = [made] if "texts" in made else []
    rounds = [line for line in records.samples if "texts" in line and not (final and line["round"] == made["round"])]
    lines = [*rounds, *final]
    if lines:
        ways = zip(lines[0]["temperatures"], lines[0]["top_p"], strict=True)
        told = "; ".join(f"temperature {heat:g}{f', top-p {most:g}' if most < 1 else ''}" for heat, most in ways)
        found.append(paragraph(f"Samples are drawn in turn at {told}."))
    if lines and lines[0]["prompt"]:
        found += [paragraph("Each begins as a held-out document does:"), code(lines[0]["prompt"])]
    for line in lines:
        texts = [code(text) for text in line["texts"]]
        rolls = [roll for roll in map(piano_roll, line["texts"]) if roll is not None]
        found += [part("heading", f"Samples after round {line['round']}"), side_by_side(*texts, *rolls)]
    if "line" in made:
        found += [part("heading", f"How it reads a {made['split']} document"), *_coloured(made["line"])]
    if "given_back" in made:
        found += [part("heading", "How much is given back"), paragraph(_given_back(made["given_back"]))]
    return found


def _coloured(line: dict[str, Any]) -> list[Markup]:
    told = (
        "The stronger a token's colour, the less it was expected: none is 0 bits (−log₂ p), the full one "
        f"{_MOST_BITS:g} or more. Point at a token for its bits and for what the model would have bet on."
    )
    tokens = []
    for token, bits, likely in zip(line["tokens"], line["bits"], line["likely"], strict=True):
        words = f"{bits:.3g} bits; most likely: {_named(likely)}"
        tokens.append((token.replace("\n", "⏎\n"), round(min(bits / _MOST_BITS, 1.0), 2), words))
    return [paragraph(told), part("coloured", tokens)]


def _named(token: str) -> str:
    return {"\n": "a new line", " ": "a space", "": "the end"}.get(token, token)


def _given_back(given: dict[str, Any]) -> str:
    told = (
        f"A model can give back what it was shown. Of all runs of {given['characters']} characters in its samples "
        f"{_share(given['samples'])} stand in some client's training document"
    )
    if "held_out" in given:
        told += f"; of those in held-out documents {_share(given['held_out'])}, for comparison"
    return told + "."


def _share(value: float | None) -> str:
    return "none (all are shorter)" if value is None else f"{value:.2%}"
