"""Texts with words left out, exchanged or said twice."""

from __future__ import annotations

from functools import lru_cache

from clients.augmentation.draws import TextRandom
from clients.augmentation.texts.split import joined, split, twice
from common.scenario.augmentation.texts import WordDeletion, WordRepetition, WordSwap


def word_deletion(spec: WordDeletion, text: str, dice: TextRandom) -> str:
    """Words that are hit are left out; where all were, one of them stays."""
    words, gaps = split(text)
    gone = set(dice.hits(len(words), spec.rate))
    if not gone:
        return text
    if len(gone) == len(words):
        return words[dice.below(len(words))]
    stay = [at for at in range(len(words)) if at not in gone]
    return joined([words[at] for at in stay], [gaps[0], *(gaps[at] for at in stay[1:]), gaps[-1]])


def word_swap(spec: WordSwap, text: str, dice: TextRandom) -> str:
    """Words that are hit change places with each other, each with the next in a random ring; a single one with any."""
    words, gaps = split(text)
    if len(words) < 2:
        return text
    ring = list(dice.hits(len(words), _hit_rate(len(words), spec.rate)))
    if not ring:
        return text
    if len(ring) == 1:
        ring.append((ring[0] + 1 + dice.below(len(words) - 1)) % len(words))
    if len(ring) > 2:
        ring = [ring[at] for at in dice.order(len(ring))]
    moving = [words[at] for at in ring]
    for at, word in zip(ring, [*moving[1:], moving[0]], strict=True):
        words[at] = word
    return joined(words, gaps)


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


def word_repetition(spec: WordRepetition, text: str, dice: TextRandom) -> str:
    """A word that is hit is said twice."""
    words, gaps = split(text)
    for at in dice.hits(len(words), spec.rate):
        words[at] = twice(words[at])
    return joined(words, gaps)
