"""Texts with words left out, exchanged or said twice."""

from __future__ import annotations

from clients.augmentation.draws import Dice
from clients.augmentation.texts.split import joined, split, twice
from common.scenario.augmentation.texts import WordDeletion, WordRepetition, WordSwap


def word_deletion(spec: WordDeletion, text: str, dice: Dice) -> str:
    """Words that are hit are left out; where all were, one of them stays."""
    words, gaps = split(text)
    gone = set(dice.hits(len(words), spec.rate))
    if not gone:
        return text
    if len(gone) == len(words):
        return words[dice.below(len(words))]
    stay = [at for at in range(len(words)) if at not in gone]
    return joined([words[at] for at in stay], [gaps[0], *(gaps[at] for at in stay[1:]), gaps[-1]])


def word_swap(spec: WordSwap, text: str, dice: Dice) -> str:
    """A word that is hit changes places with any other word."""
    words, gaps = split(text)
    hits = list(dice.hits(len(words), spec.rate))
    if not hits or len(words) < 2:
        return text
    for at in hits:
        other = (at + 1 + dice.below(len(words) - 1)) % len(words)
        words[at], words[other] = words[other], words[at]
    return joined(words, gaps)


def word_repetition(spec: WordRepetition, text: str, dice: Dice) -> str:
    """A word that is hit is said twice."""
    words, gaps = split(text)
    for at in dice.hits(len(words), spec.rate):
        words[at] = twice(words[at])
    return joined(words, gaps)
