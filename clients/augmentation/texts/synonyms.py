"""Texts in other words."""

from __future__ import annotations

import re

from clients.augmentation.draws import Dice
from common.scenario.augmentation import Synonyms

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
"""Letters and digits, with apostrophes and hyphens inside."""


def synonyms(spec: Synonyms, text: str, dice: Dice) -> str:
    """A word of the table that is hit becomes one of its synonyms; a capital at its beginning stays."""
    table = spec.words or {}

    def other(found: re.Match[str]) -> str:
        choices = table.get(found[0].lower())
        if not choices or dice.uniform() >= spec.rate:
            return found[0]
        chosen = choices[dice.below(len(choices))]
        return chosen[0].upper() + chosen[1:] if found[0][0].isupper() else chosen

    return _WORD.sub(other, text)
