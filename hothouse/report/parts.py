"""The parts of pages, as HTML: templates/parts.html has a macro for each, which escapes what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@cache
def environment() -> Environment:
    """Where templates are: all that is put into them is escaped, unless it is Markup."""
    return Environment(loader=PackageLoader("hothouse.report"), autoescape=True, undefined=StrictUndefined)


@cache
def _macros() -> Any:
    return environment().get_template("parts.html").module


def part(name: str, *values: Any) -> Markup:
    """The part of this name, made of these values."""
    made: Markup = getattr(_macros(), name)(*values)
    return made


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> Markup:
    """A table; numbers, and gaps among them, are set to the right."""
    lines = [list(row) for row in rows]
    numeric = [_numeric([line[place] for line in lines]) for place in range(len(head))]
    cells = [
        [(_cell(value), not isinstance(value, Markup) and (right or _is_number(value))) for value, right in pairs]
        for pairs in (zip(line, numeric, strict=True) for line in lines)
    ]
    return part("table", zip(head, numeric, strict=True), cells, caption)


def facts(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """A few numbers with their names, side by side."""
    return part("facts", [(name, format_value(value)) for name, value in pairs])


def paragraph(text: str) -> Markup:
    """A paragraph of plain text."""
    return part("paragraph", text)


def details(summary: str, html: str) -> Markup:
    """Something to unfold."""
    return part("details", summary, html)


def code(text: str) -> Markup:
    """Text as it is, to be copied."""
    return part("code", text)


def side_by_side(*parts: str) -> Markup:
    """Parts beside each other where the screen is wide enough, else one below the other."""
    return part("side_by_side", parts)


def format_value(value: Any) -> str:
    """A value as people read it: thousands apart, four digits that count."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _numeric(values: list[Any]) -> bool:
    """Whether a column is of numbers, with gaps or without."""
    there = [value for value in values if value is not None]
    return bool(there) and all(map(_is_number, there))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    return value if isinstance(value, Markup) else format_value(value)
