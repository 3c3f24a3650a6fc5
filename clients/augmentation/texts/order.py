"""Texts in another order: of their clauses, or of their words."""

from __future__ import annotations

import re

from clients.augmentation.draws import TextRandom
from clients.augmentation.texts.split import joined, split
from common.scenario.augmentation.texts import ClauseShuffle, WordShuffle

_MARKS = re.compile(r"([,;:.!?…]+(?:\s+|$)|[，；：。！？、]+\s*)")
"""Punctuation at the end of a word, for what stands inside numbers and addresses divides nothing; and the marks of
scripts without spaces, wherever they stand."""


def clause_shuffle(spec: ClauseShuffle, text: str, dice: TextRandom) -> str:
    """The pieces between punctuation marks in random order; the marks stay where they are."""
    clauses = _MARKS.split(text)
    filled = [at for at in range(0, len(clauses), 2) if clauses[at]]
    found = list(clauses)
    for at, new in zip(filled, dice.order(len(filled)), strict=True):
        found[at] = clauses[filled[new]]
    return "".join(found)


def word_shuffle(spec: WordShuffle, text: str, dice: TextRandom) -> str:
    """Words sorted by their place plus a number in [0, window + 1), so that none moves further than the window.

    Lample et al. 2018, "Unsupervised Machine Translation Using Monolingual Corpora Only", section 2.3.
    """
    words, gaps = split(text)
    drawn = [at + dice.uniform() * (spec.window + 1) for at in range(len(words))]
    return joined([words[at] for at in sorted(range(len(words)), key=drawn.__getitem__)], gaps)
