"""Rows beside what training makes of them: pictures, texts with what changed, numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Any

from markupsafe import Markup, escape

from hothouse.inspect.augmented import AugmentedExample
from hothouse.report.parts import format_value, part, table
from hothouse.results.images import data_uri

_PIECES = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_CHARACTERS = 300
_AS_IT_IS = "as\u00a0it\u00a0is"


def pictures(
    seen: Sequence[AugmentedExample], answers: Sequence[str], shape: list[int], limits: tuple[float, float]
) -> Markup:
    """Images: one line each, the original first."""

    def picture(pixels: Any, words: str) -> Markup:
        return part("picture", data_uri(pixels, shape, limits), words)

    lines = [
        [
            answer,
            picture(one.before, f"an example labelled {answer}"),
            *(picture(after, f"the same in round {n}") for n, after in enumerate(one.after, 1)),
        ]
        for one, answer in zip(seen, answers, strict=True)
    ]
    return part("pictures", [table(_head(seen), lines)])


def texts(seen: Sequence[AugmentedExample], answers: Sequence[str]) -> Markup:
    """Texts: what is new is marked, what is gone struck through."""
    lines = [
        [answer, one.before[:_MOST_CHARACTERS], *(changes(one.before, after) for after in one.after)]
        for one, answer in zip(seen, answers, strict=True)
    ]
    return table(_head(seen), lines)


def numbers(
    seen: Sequence[AugmentedExample], answers: Sequence[str], names: list[str], cells: Callable[[Any], list[Any]]
) -> Markup:
    """Rows of a table: the original first, then each round with what changed marked."""
    lines: list[list[Any]] = []
    for one, answer in zip(seen, answers, strict=True):
        before = cells(one.before)
        lines.append([answer, _AS_IT_IS, *before])
        for n, after in enumerate(one.after, 1):
            marked = [
                new if new == old else part("marked", format_value(new))
                for old, new in zip(before, cells(after), strict=True)
            ]
            lines.append(["", f"round\u00a0{n}", *marked])
    return table(["target", "seen", *names], lines)


def changes(before: str, after: str) -> Markup:
    """The later text as HTML, words that are new in `ins` and words that are gone in `del`."""
    old, new = (_PIECES.findall(text[:_MOST_CHARACTERS]) for text in (before, after))
    parts: list[Markup] = []
    for what, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[start:end]), "".join(new[first:last])
        if what == "equal":
            parts.append(escape(come))
        else:
            parts += [part("gone", gone)] * bool(gone.strip()) + [part("new", come)] * bool(come)
    return Markup().join(parts)


def _head(seen: Sequence[AugmentedExample]) -> list[str]:
    return ["label", _AS_IT_IS, *(f"round {n}" for n in range(1, len(seen[0].after) + 1))]
