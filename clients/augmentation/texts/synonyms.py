"""Texts in other words."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np

from clients.augmentation.draws import TextRandom
from clients.augmentation.texts.split import SPACELESS
from common.scenario.augmentation.texts import Synonyms, as_looked_up

_SPACELESS = re.compile(f"[{SPACELESS}]")
_PLANES = 0x20000
"""Characters beyond are Chinese ones, which need no spaces, and private."""


def synonyms(spec: Synonyms, text: str, dice: TextRandom) -> str:
    """A word of the table that is hit becomes one of its synonyms; a capital at its beginning stays.

    Words are told apart in any script, with the accents and vowel signs that are characters of their own, whatever
    their case, and whether accents are composed or not. An entry may be several words. Where a script has no spaces,
    the longest entry that begins at a character is the word there.
    """
    table = spec.words or {}

    def other(found: re.Match[str]) -> str:
        choices = table.get(as_looked_up(found[0]))
        if not choices or dice.uniform() >= spec.rate:
            return found[0]
        chosen = choices[dice.below(len(choices))]
        return chosen[0].upper() + chosen[1:] if found[0][0].isupper() else chosen

    return _words(tuple(table)).sub(other, text)


@lru_cache(maxsize=8)
def _words(known: tuple[str, ...]) -> re.Pattern[str]:
    """Matches every entry of a table that is more than one ordinary word, and every ordinary word."""
    ordinary = re.compile(_ordinary())
    others = sorted((word for word in known if not ordinary.fullmatch(word)), key=len, reverse=True)
    return re.compile("|".join([*map(_entry, others), _ordinary()]))


def _ordinary() -> str:
    """A word of a script with spaces: letters, digits and marks, with apostrophes and hyphens inside."""
    return f"{_letter()}+(?:['’-]{_letter()}+)*"


def _entry(word: str) -> str:
    """An entry as it may stand in a text: its accents composed or not, and no part of a longer word."""
    forms = {unicodedata.normalize(form, word) for form in ("NFC", "NFD")}
    spelt = "|".join(r"\s+".join(map(_spelt, form.split(" "))) for form in sorted(forms))
    before = "" if _SPACELESS.match(word[0]) else f"(?<!{_letter()})(?<!{_letter()}['’-])"
    after = "" if _SPACELESS.match(word[-1]) else f"(?!['’-]?{_letter()})"
    return f"{before}(?i:{spelt}){after}"


def _spelt(part: str) -> str:
    return re.escape(part).replace("'", "['’]")


@lru_cache(maxsize=1)
def _letter() -> str:
    """The class of letters, digits and combining marks, which \\w leaves out, of all scripts with spaces."""
    inside = [
        char.isalnum() or unicodedata.category(char)[0] == "M" if not _SPACELESS.match(char) else False
        for char in map(chr, range(_PLANES))
    ]
    edges = np.flatnonzero(np.diff([False, *inside, False])).tolist()
    return (
        "[" + "".join(f"{chr(first)}-{chr(end - 1)}" for first, end in zip(edges[::2], edges[1::2], strict=True)) + "]"
    )
