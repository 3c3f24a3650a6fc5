"""Numbers as people and programs write them: 1.5, 1,5, 1,500.5, 12%, −3; and what stands for a missing one.

A column is read as numbers only where every value in it is one in the same form, so that no value changes its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MISSING = ("", "?", "NA", "NaN", "nan", "null")
"""What stands for a missing value if nobody says otherwise."""
MARKS = frozenset(
    (
        *("n/a", "na", "n.a.", "#n/a", "#na", "<na>", "nan", "null", "nil", "none", "missing", "unknown", "?", "*"),
        *("-", "--", "–", "—", ".", "..", "...", "#null!", "#value!", "#div/0!"),
    )
)
"""What often stands for a missing value among numbers, in small letters."""
_SAMPLE = 1000
POINT = "."
"""The form of numbers with a decimal point and nothing else."""

_PLAIN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_GROUPED = {mark: re.compile(rf"[+-]?[0-9]{{1,3}}({re.escape(mark)}[0-9]{{3}})+") for mark in ",. '\u00a0\u202f"}
_MINUS = "\u2212"
"""The minus sign of word processors and spreadsheets."""


def forms(decimal: str, separator: str) -> list[str]:
    """The forms to try, in order, for files with this `separator` between values.

    A form is the decimal mark, the mark between groups of three digits if there is one, and % where all values have
    that. `decimal` is the mark to be expected, or auto. Where commas could be either (12,345), they stand before
    decimals in files with semicolons, whose commas are free for that, and else between groups.
    """
    # No underscores: they are parts of codes (1_10).
    point = [".", ".,", ". ", ".'", ".\u00a0", ".\u202f"]
    comma = [",", ",.", ", ", ",'", ",\u00a0", ",\u202f"]
    known = {".": point, ",": comma}.get(decimal)
    if known is None:
        known = [".", *comma, *point[1:]] if separator == ";" else [*point, *comma]
    return [*known, *(f"{form}%" for form in known)]


def number(text: str, form: str) -> float | None:
    """The number that a text is in a form; None where it is none. One of too many digits is infinite."""
    told = text.replace(_MINUS, "-")
    if form.endswith("%"):
        if not told.endswith("%"):
            return None
        told, form = told[:-1].rstrip(), form[:-1]
    decimal, group = form[0], form[1:]
    whole, mark, rest = told.partition(decimal)
    if group:
        if group in whole:
            if not _GROUPED[group].fullmatch(whole):
                return None
            whole = whole.replace(group, "")
        if group in rest:
            return None
    if decimal == "," and "." in whole + rest:
        return None
    plain = f"{whole}.{rest}" if mark else whole
    return float(plain) if _PLAIN.fullmatch(plain) else None


def best_form(texts: Sequence[str], candidates: Sequence[str]) -> str:
    """The first form in which all texts are numbers, else the one in which most of a sample are."""
    for form in candidates:
        if texts and all(number(text, form) is not None for text in texts):
            return form
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    counts = [sum(number(text, form) is not None for text in sample) for form in candidates]
    return candidates[counts.index(max(counts))]


def describe_form(form: str) -> str:
    """What is special about a form."""
    told = ["a decimal comma"] if form[0] == "," else []
    marks = form[1:].rstrip("%")
    if marks:
        told.append(f"{marks!r} between thousands")
    if form.endswith("%"):
        told.append("percent signs, which are left out")
    return " and ".join(told)
