"""Texts: `TEXTS` maps kinds to functions that change one text.

A new augmentation of texts is one function here, one line in `TEXTS` and one class
in `common.scenario.augmentation.texts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clients.augmentation.draws import Dice
from clients.augmentation.texts.characters import character_noise, typos
from clients.augmentation.texts.order import clause_shuffle, word_shuffle
from clients.augmentation.texts.synonyms import synonyms
from clients.augmentation.texts.words import word_deletion, word_repetition, word_swap

TEXTS: dict[str, Callable[[Any, str, Dice], str]] = {
    "character_noise": character_noise,
    "typos": typos,
    "word_deletion": word_deletion,
    "word_swap": word_swap,
    "word_repetition": word_repetition,
    "synonyms": synonyms,
    "clause_shuffle": clause_shuffle,
    "word_shuffle": word_shuffle,
}
