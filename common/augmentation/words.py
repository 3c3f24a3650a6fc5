"""Where words begin and end, in scripts that put spaces between them and in scripts that do not."""

from __future__ import annotations

import re

SPACELESS = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Kana and Chinese characters, as a range of a regular expression: each counts as a word."""

_WORD = re.compile(rf"[{SPACELESS}][^\w\s]*|[^\s{SPACELESS}]+")
_SPACELESS = re.compile(f"[{SPACELESS}]")


def split(text: str) -> tuple[list[str], list[str]]:
    """The words of a text, with the punctuation that clings to them, and what stands before each and after the last.

    Words have spaces around them; of scripts without spaces each character is one.
    """
    words, gaps, end = [], [], 0
    for found in _WORD.finditer(text):
        words.append(found[0])
        gaps.append(text[end : found.start()])
        end = found.end()
    return words, [*gaps, text[end:]]


def join_words(words: list[str], gaps: list[str]) -> str:
    """The text of these words in these gaps, one more than words. Words that need a space between them have one."""
    parts = [gaps[0]]
    for at, word in enumerate(words):
        if at:
            parts.append(gaps[at] or _between(words[at - 1], word))
        parts.append(word)
    return "".join([*parts, *gaps[-1:]] if words else parts)


def repeat_word(word: str) -> str:
    """A word and the same word again."""
    return word + _between(word, word) + word


def _between(word: str, following: str) -> str:
    return "" if _SPACELESS.match(word) or _SPACELESS.match(following) else " "
