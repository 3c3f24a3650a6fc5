"""What is made of texts: their kinds in `training.augmentation`."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from common.scenario.augmentation.base import AugmentationPart
from common.scenario.base import FilePath, key, refuse


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


class TextAugmentation(AugmentationPart):
    """One that changes texts."""


class CharacterNoise(
    TextAugmentation, name="character_noise", runs="clients.augmentation.texts.characters:character_noise"
):
    """Texts: characters left out, put in, replaced, or exchanged with the next one."""

    rate: float = key("How likely any one character is hit.", 0.05, unit="fraction", ge=0, le=1)


class Typos(TextAugmentation, name="typos", runs="clients.augmentation.texts.characters:typos"):
    """Texts: letters replaced by their neighbours on a keyboard."""

    rate: float = key(
        "How likely any one letter is mistyped; what is on no key of the keyboard stays.",
        0.05,
        unit="fraction",
        ge=0,
        le=1,
    )
    layout: Literal["qwerty", "qwertz", "azerty"] = key("The keyboard.", "qwerty")


class WordDeletion(TextAugmentation, name="word_deletion", runs="clients.augmentation.texts.words:word_deletion"):
    """Texts: words left out; one always stays."""

    rate: float = key(
        "How likely any one word is left out. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class WordSwap(TextAugmentation, name="word_swap", runs="clients.augmentation.texts.words:word_swap"):
    """Texts: words that change places with other words of the text."""

    rate: float = key(
        "How likely any one word is moved: those that are hit change places with each other, a single one with any "
        "other word. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class WordRepetition(TextAugmentation, name="word_repetition", runs="clients.augmentation.texts.words:word_repetition"):
    """Texts: words said twice."""

    rate: float = key(
        "How likely any one word is repeated. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class Synonyms(TextAugmentation, name="synonyms", runs="clients.augmentation.texts.synonyms:synonyms"):
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


class ClauseShuffle(TextAugmentation, name="clause_shuffle", runs="clients.augmentation.texts.order:clause_shuffle"):
    """Texts: the clauses between punctuation marks in another order."""


class WordShuffle(TextAugmentation, name="word_shuffle", runs="clients.augmentation.texts.order:word_shuffle"):
    """Texts: words in another order, none far from its place (Lample et al. 2018)."""

    window: int = key("How far a word may move. A Chinese character or a kana counts as a word.", 3, unit="words", ge=1)
