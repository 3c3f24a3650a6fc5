"""What there is to choose from: scenarios that ship, and the alternatives of every key that has some."""

from __future__ import annotations

import re
from pathlib import Path

from common.scenario.base import Part
from common.scenario.registry import FAMILIES
from common.scenario.shipped import shipped

Choices = list[tuple[str, str]]
"""Names, with one line each on what they are."""


def catalogue() -> dict[str, Choices]:
    """Every kind of thing that a scenario can name, and what there is of it."""
    found = {"scenarios": _scenarios()}
    for title, family in FAMILIES.items():
        found[title] = [(name, _first_line(part)) for name, part in family.parts.items()]
    return {kind: choices for kind, choices in found.items() if choices}


def _scenarios() -> Choices:
    """The scenarios that ship, by the names that they can be run by."""
    return [(name, _comment(file)) for name, file in shipped().items()]


def _comment(file: Path) -> str:
    """The first sentence of the comment at the top of a scenario."""
    words: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "yaml-language-server" not in line:
            words.append(line.lstrip("# "))
    return re.split(r"(?<! al)\. ", " ".join(words))[0].rstrip(".")


def _first_line(part: type[Part]) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]
