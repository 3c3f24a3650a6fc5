"""Texts with words left out, exchanged or said twice."""

from __future__ import annotations

from clients.augmentation.draws import Dice
from common.scenario.augmentation import WordDeletion, WordRepetition, WordSwap


def word_deletion(spec: WordDeletion, text: str, dice: Dice) -> str:
    """Words that are hit are left out; where all were, one of them stays."""
    words = text.split()
    gone = set(dice.hits(len(words), spec.rate))
    if not gone:
        return text
    if len(gone) == len(words):
        return words[dice.below(len(words))]
    return " ".join(word for at, word in enumerate(words) if at not in gone)


def word_swap(spec: WordSwap, text: str, dice: Dice) -> str:
    """A word that is hit changes places with any other word."""
    words = text.split()
    hits = list(dice.hits(len(words), spec.rate))
    if not hits or len(words) < 2:
        return text
    for at in hits:
        other = (at + 1 + dice.below(len(words) - 1)) % len(words)
        words[at], words[other] = words[other], words[at]
    return " ".join(words)


def word_repetition(spec: WordRepetition, text: str, dice: Dice) -> str:
    """A word that is hit is said twice."""
    words = text.split()
    hits = set(dice.hits(len(words), spec.rate))
    if not hits:
        return text
    return " ".join(f"{word} {word}" if at in hits else word for at, word in enumerate(words))
