"""What is made of texts: their kinds in `training.augmentation`."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from common.scenario.augmentation.probability import probability
from common.scenario.base import FilePath, Part, key, refuse


def as_looked_up(word: str) -> str:
    """A word as tables of synonyms have it: in lower case, accents composed, one apostrophe, single spaces."""
    return " ".join(unicodedata.normalize("NFC", word).lower().replace("’", "'").split())


def _looked_up(words: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word, synonyms in words.items():
        if not as_looked_up(word):
            raise ValueError("a word of spaces only")
        if as_looked_up(word) in found:
            raise ValueError(f"{word!r} is there twice, but for case, accents or apostrophes")
        found[as_looked_up(word)] = synonyms
    return found


Word = Annotated[str, Field(min_length=1)]
Words = Annotated[
    dict[Word, Annotated[tuple[Word, ...], Field(min_length=1, strict=False)]], AfterValidator(_looked_up)
]
"""Each word, as it is looked up, with its synonyms."""


class CharacterNoise(Part):
    """Texts: characters left out, put in, replaced, or exchanged with the next one."""

    kind: Literal["character_noise"] = key("Garbled texts.", "character_noise")
    probability: float = probability()
    rate: float = key("How likely any one character is hit.", 0.05, unit="fraction", ge=0, le=1)


class Typos(Part):
    """Texts: letters replaced by their neighbours on a keyboard."""

    kind: Literal["typos"] = key("Mistyped texts.", "typos")
    probability: float = probability()
    rate: float = key(
        "How likely any one letter is mistyped; what is on no key of the keyboard stays.",
        0.05,
        unit="fraction",
        ge=0,
        le=1,
    )
    layout: Literal["qwerty", "qwertz", "azerty"] = key("The keyboard.", "qwerty")


class WordDeletion(Part):
    """Texts: words left out; one always stays."""

    kind: Literal["word_deletion"] = key("Texts with gaps.", "word_deletion")
    probability: float = probability()
    rate: float = key(
        "How likely any one word is left out. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class WordSwap(Part):
    """Texts: words that change places with other words of the text."""

    kind: Literal["word_swap"] = key("Words in each other's places.", "word_swap")
    probability: float = probability()
    rate: float = key(
        "How likely any one word is moved: those that are hit change places with each other, a single one with any "
        "other word. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class WordRepetition(Part):
    """Texts: words said twice."""

    kind: Literal["word_repetition"] = key("Words said twice.", "word_repetition")
    probability: float = probability()
    rate: float = key(
        "How likely any one word is repeated. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class Synonyms(Part):
    """Texts: words replaced by others of your own table."""

    kind: Literal["synonyms"] = key("Other words for the same.", "synonyms")
    probability: float = probability()
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


class ClauseShuffle(Part):
    """Texts: the clauses between punctuation marks in another order."""

    kind: Literal["clause_shuffle"] = key("Clauses in another order.", "clause_shuffle")
    probability: float = probability()


class WordShuffle(Part):
    """Texts: words in another order, none far from its place (Lample et al. 2018)."""

    kind: Literal["word_shuffle"] = key("Words in another order.", "word_shuffle")
    probability: float = probability()
    window: int = key("How far a word may move. A Chinese character or a kana counts as a word.", 3, unit="words", ge=1)


Text = CharacterNoise | Typos | WordDeletion | WordSwap | WordRepetition | Synonyms | ClauseShuffle | WordShuffle
