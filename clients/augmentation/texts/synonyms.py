"""Texts in other words."""

from __future__ import annotations

import re
from functools import lru_cache

from clients.augmentation.draws import Dice
from clients.augmentation.texts.split import SPACELESS
from common.scenario.augmentation.texts import Synonyms

_SPACED = rf"[^\W_{SPACELESS}]+(?:['’-][^\W_{SPACELESS}]+)*"
"""Letters and digits, with apostrophes and hyphens inside."""
_SPACELESS = re.compile(f"[{SPACELESS}]+")


def synonyms(spec: Synonyms, text: str, dice: Dice) -> str:
    """A word of the table that is hit becomes one of its synonyms; a capital at its beginning stays.

    Where a script has no spaces, the longest word of the table that begins at a character is the word there.
    """
    table = spec.words or {}

    def other(found: re.Match[str]) -> str:
        choices = table.get(found[0].lower())
        if not choices or dice.uniform() >= spec.rate:
            return found[0]
        chosen = choices[dice.below(len(choices))]
        return chosen[0].upper() + chosen[1:] if found[0][0].isupper() else chosen

    return _words(tuple(table)).sub(other, text)


@lru_cache(maxsize=8)
def _words(known: tuple[str, ...]) -> re.Pattern[str]:
    spaceless = sorted(filter(_SPACELESS.fullmatch, known), key=len, reverse=True)
    return re.compile("|".join([*spaceless, _SPACED]))
