"""Texts with wrong characters: noise of any kind, and slips on a keyboard."""

from __future__ import annotations

from functools import lru_cache

from clients.augmentation.draws import TextRandom
from common.scenario.augmentation.texts import CharacterNoise, Typos

_KEYBOARDS = {
    "qwerty": ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("1234567890", "qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn"),
}
_OFFSETS = (0.0, 0.5, 0.75, 1.25)
"""How far the rows of a keyboard are set in, in keys."""


def character_noise(spec: CharacterNoise, text: str, dice: TextRandom) -> str:
    """A character that is hit is left out, doubled by another of the text, replaced by one, or changes places with
    the next that is no space: all four are equally likely, whatever the script. Spaces stay where they are."""
    letters = "".join(text.split())
    found = list(text)
    for at in dice.hits(len(text), spec.rate):
        if text[at].isspace():
            continue
        change = dice.below(4)
        if change == 0:
            found[at] = ""
        elif change == 1:
            found[at] += letters[dice.below(len(letters))]
        elif change == 2:
            found[at] = letters[dice.below(len(letters))]
        else:
            following = next((place for place in range(at + 1, len(text)) if not text[place].isspace()), at)
            found[at], found[following] = found[following], found[at]
    return "".join(found)


def typos(spec: Typos, text: str, dice: TextRandom) -> str:
    """A letter or digit that is hit becomes one that lies beside it on the keyboard; its case stays."""
    near = neighbours(spec.layout)
    found = list(text)
    for at in dice.hits(len(text), spec.rate):
        keys = near.get(text[at].lower())
        if keys:
            key = keys[dice.below(len(keys))]
            found[at] = key.upper() if text[at].isupper() else key
    return "".join(found)


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
