"""Texts: characters and words that are wrong, missing, said twice or in another order."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import ClassVar, Literal

from common.augmentation.words import join_words, repeat_word, split
from common.draws import TextRandom
from common.scenario.augmentation import TextAugmentation
from common.scenario.base import key

_KEYBOARDS = {
    "qwerty": ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("1234567890", "qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn"),
}
_OFFSETS = (0.0, 0.5, 0.75, 1.25)
"""How far the rows of a keyboard are set in, in keys."""
_MARKS = re.compile(r"([,;:.!?…]+(?:\s+|$)|[，；：。！？、]+\s*)")
"""Punctuation at the end of a word, for what stands inside numbers and addresses divides nothing; and the marks of
scripts without spaces, wherever they stand."""


class CharacterNoise(TextAugmentation, name="character_noise"):
    """Texts: characters left out, put in, replaced, or exchanged with the next one."""

    rate: float = key("How likely any one character is hit.", 0.05, unit="fraction", ge=0, le=1)

    def change(self, text: str, random: TextRandom) -> str:
        """A character that is hit is left out, doubled by another of the text, replaced by one, or changes places with
        the next that is no space: all four are equally likely, whatever the script. Spaces stay where they are."""
        letters = "".join(text.split())
        found = list(text)
        for at in random.hits(len(text), self.rate):
            if text[at].isspace():
                continue
            change = random.below(4)
            if change == 0:
                found[at] = ""
            elif change == 1:
                found[at] += letters[random.below(len(letters))]
            elif change == 2:
                found[at] = letters[random.below(len(letters))]
            else:
                following = next((place for place in range(at + 1, len(text)) if not text[place].isspace()), at)
                found[at], found[following] = found[following], found[at]
        return "".join(found)


class Typos(TextAugmentation, name="typos"):
    """Texts: letters replaced by their neighbours on a keyboard."""

    rate: float = key(
        "How likely any one letter is mistyped; what is on no key of the keyboard stays.",
        0.05,
        unit="fraction",
        ge=0,
        le=1,
    )
    layout: Literal["qwerty", "qwertz", "azerty"] = key("The keyboard.", "qwerty")

    def change(self, text: str, random: TextRandom) -> str:
        """A letter or digit that is hit becomes one that lies beside it on the keyboard; its case stays."""
        near = neighbours(self.layout)
        found = list(text)
        for at in random.hits(len(text), self.rate):
            keys = near.get(text[at].lower())
            if keys:
                key = keys[random.below(len(keys))]
                found[at] = key.upper() if text[at].isupper() else key
        return "".join(found)


class WordDeletion(TextAugmentation, name="word_deletion"):
    """Texts: words left out; one always stays."""

    rate: float = key(
        "How likely any one word is left out. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )

    def change(self, text: str, random: TextRandom) -> str:
        """Words that are hit are left out; where all were, one of them stays."""
        words, gaps = split(text)
        gone = set(random.hits(len(words), self.rate))
        if not gone:
            return text
        if len(gone) == len(words):
            return words[random.below(len(words))]
        stay = [at for at in range(len(words)) if at not in gone]
        return join_words([words[at] for at in stay], [gaps[0], *(gaps[at] for at in stay[1:]), gaps[-1]])


class WordSwap(TextAugmentation, name="word_swap"):
    """Texts: words that change places with other words of the text."""

    order_only: ClassVar[bool] = True

    rate: float = key(
        "How likely any one word is moved: those that are hit change places with each other, a single one with any "
        "other word. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )

    def change(self, text: str, random: TextRandom) -> str:
        """Words that are hit change places, each with the next in a random ring; a single one with any other."""
        words, gaps = split(text)
        if len(words) < 2:
            return text
        ring = list(random.hits(len(words), _hit_rate(len(words), self.rate)))
        if not ring:
            return text
        if len(ring) == 1:
            ring.append((ring[0] + 1 + random.below(len(words) - 1)) % len(words))
        if len(ring) > 2:
            ring = [ring[at] for at in random.order(len(ring))]
        moving = [words[at] for at in ring]
        for at, word in zip(ring, [*moving[1:], moving[0]], strict=True):
            words[at] = word
        return join_words(words, gaps)


class WordRepetition(TextAugmentation, name="word_repetition"):
    """Texts: words said twice."""

    rate: float = key(
        "How likely any one word is repeated. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )

    def change(self, text: str, random: TextRandom) -> str:
        """A word that is hit is said twice."""
        words, gaps = split(text)
        for at in random.hits(len(words), self.rate):
            words[at] = repeat_word(words[at])
        return join_words(words, gaps)


class ClauseShuffle(TextAugmentation, name="clause_shuffle"):
    """Texts: the clauses between punctuation marks in another order."""

    order_only: ClassVar[bool] = True

    def change(self, text: str, random: TextRandom) -> str:
        """The pieces between punctuation marks in random order; the marks stay where they are."""
        clauses = _MARKS.split(text)
        filled = [at for at in range(0, len(clauses), 2) if clauses[at]]
        found = list(clauses)
        for at, new in zip(filled, random.order(len(filled)), strict=True):
            found[at] = clauses[filled[new]]
        return "".join(found)


class WordShuffle(TextAugmentation, name="word_shuffle"):
    """Texts: words in another order, none far from its place (Lample et al. 2018)."""

    order_only: ClassVar[bool] = True

    window: int = key("How far a word may move. A Chinese character or a kana counts as a word.", 3, unit="words", ge=1)

    def change(self, text: str, random: TextRandom) -> str:
        """Words sorted by their place plus a number in [0, window + 1), so that none moves further than the window.

        Lample et al. 2018, "Unsupervised Machine Translation Using Monolingual Corpora Only", section 2.3.
        """
        words, gaps = split(text)
        drawn = [at + random.uniform() * (self.window + 1) for at in range(len(words))]
        return join_words([words[at] for at in sorted(range(len(words)), key=drawn.__getitem__)], gaps)


@lru_cache(maxsize=8)
def neighbours(layout: str) -> dict[str, str]:
    """The keys beside each key: at most one row and less than a key's width away, left and right included."""
    places = {
        key: (row, column + _OFFSETS[row])
        for row, keys in enumerate(_KEYBOARDS[layout])
        for column, key in enumerate(keys)
    }
    return {
        key: "".join(
            other
            for other, (there, right) in places.items()
            if other != key and abs(there - row) <= 1 and abs(right - left) <= 1
        )
        for key, (row, left) in places.items()
    }


@lru_cache(maxsize=1 << 12)
def _hit_rate(words: int, moved: float) -> float:
    """How likely a word is to be hit, that it moves with chance `moved`: a single hit moves two.

    The root p of p (1 + (1 − p)ⁿ⁻¹) = moved, by bisection.
    """
    low, high = 0.0, moved
    for _ in range(50):
        middle = (low + high) / 2
        if middle * (1 + (1 - middle) ** (words - 1)) < moved:
            low = middle
        else:
            high = middle
    return high
