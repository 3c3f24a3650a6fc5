"""Texts in other words: synonyms of a table of the user's own."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from common.augmentation.words import SPACELESS
from common.draws import TextRandom
from common.scenario.augmentation import TextAugmentation
from common.scenario.base import FilePath, key, refuse

_SPACELESS = re.compile(f"[{SPACELESS}]")
_PLANES = 0x20000
"""Characters beyond are Chinese ones, which need no spaces, and private."""


def lookup_form(word: str) -> str:
    """A word as tables of synonyms have it: in lower case, accents composed, one apostrophe, single spaces."""
    return " ".join(unicodedata.normalize("NFC", word).lower().replace("’", "'").split())


def _looked_up(words: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word, synonyms in words.items():
        if not lookup_form(word):
            raise ValueError("a word of spaces only")
        if lookup_form(word) in found:
            raise ValueError(f"{word!r} is given twice, but for case, accents or apostrophes")
        found[lookup_form(word)] = synonyms
    return found


Word = Annotated[str, Field(min_length=1)]
Words = Annotated[
    dict[Word, Annotated[tuple[Word, ...], Field(min_length=1, strict=False)]], AfterValidator(_looked_up)
]
"""Each word, as it is looked up, with its synonyms."""


class Synonyms(TextAugmentation, name="synonyms"):
    """Texts: words replaced by others of your own table."""

    rate: float = key(
        "How likely any one word that has synonyms is replaced. In scripts without spaces the longest of the table's "
        "that begins at a character is the word there.",
        0.3,
        unit="fraction",
        ge=0,
        le=1,
    )
    path: FilePath | None = key(
        "A text file with a line for each word: the word, then its synonyms, with commas between.", None
    )
    words: Words | None = key("The table itself, in place of a file.", None)

    @model_validator(mode="after")
    def _one_table(self) -> Synonyms:
        if (self.path is None) == (self.words is None):
            raise refuse("path", "a file of synonyms, or in its place `words`")
        return self

    def change(self, text: str, random: TextRandom) -> str:
        """A word of the table that is hit becomes one of its synonyms; a capital at its beginning stays.

        Words are told apart in any script, with the accents and vowel signs that are characters of their own,
        whatever their case, and whether accents are composed or not. An entry may be several words. Where a script
        has no spaces, the longest entry that begins at a character is the word there.
        """
        table = self.words or {}

        def other(found: re.Match[str]) -> str:
            choices = table.get(lookup_form(found[0]))
            if not choices or random.uniform() >= self.rate:
                return found[0]
            chosen = choices[random.below(len(choices))]
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
