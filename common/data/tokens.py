"""Texts as sequences of tokens: characters, bytes or words, and what it costs to say which one an unknown token is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.augmentation.words import SPACELESS
from common.tasks import Label

END = ""
"""The token behind the last one of a document."""

_WORD = re.compile(rf"[{SPACELESS}]| ?[^\W{SPACELESS}]+| ?[^\w\s]|\s")
"""A word or a sign with the space before it, a character of scripts without spaces, or a single space: no more is
between them, so that tokens one after the other are the text again."""
_SHOWN: Mapping[Label, str] = {END: "end", " ": "␣", "\n": "⏎", "\t": "⇥"}
_CHARACTERS = 0x110000
"""How many code points Unicode has."""


@dataclass(frozen=True)
class SequenceForm:
    """How documents are to become sequences of tokens."""

    unit: str
    """characters, bytes or words."""
    vocabulary: int
    """How many tokens are told apart at most: the most frequent ones of the clients' training documents."""
    least: int
    """How often a token must occur there."""
    headers: tuple[str, ...] = ()
    """The names of header lines with values that hold from there on."""


@dataclass(frozen=True)
class TokenWindows:
    """What the network sees at each position of a document: the tokens before it, and the header values in force."""

    unit: str
    context: int
    """How many tokens before a position are seen."""


def tokenize(text: str, unit: str) -> list[str]:
    """The tokens of a text; bytes are given as the characters of the same numbers."""
    if unit == "words":
        return _WORD.findall(text)
    return list(text.encode().decode("latin-1") if unit == "bytes" else text)


def shown_token(token: Label) -> Label:
    """A token, or any other label, as it can be seen where it stands alone."""
    return _SHOWN.get(token, token)


def join_tokens(tokens: Sequence[str], unit: str) -> str:
    """The text of tokens; bytes that are no UTF-8 are shown as U+FFFD."""
    text = "".join(tokens)
    return text.encode("latin-1").decode(errors="replace") if unit == "bytes" else text


def encode_tokens(documents: Sequence[str], unit: str) -> tuple[NDArray[np.int64], list[str], NDArray[np.int64]]:
    """Documents as codes, one after the other, each with END behind it: codes (n,), their names, starts (documents,).

    Documents of bytes are given as text of the characters 0 to 255.
    """
    if unit == "words":
        return _encode_words(documents)
    parts = [np.frombuffer(f"{text}\0".encode("utf-32-le"), dtype="<u4").astype(np.int64) for text in documents]
    for part in parts:
        part[-1] = _CHARACTERS
    found, codes = np.unique(np.concatenate(parts), return_inverse=True)
    names = [END if code == _CHARACTERS else chr(code) for code in found.tolist()]
    return codes.reshape(-1).astype(np.int64), names, _starts([len(part) for part in parts])


def _encode_words(documents: Sequence[str]) -> tuple[NDArray[np.int64], list[str], NDArray[np.int64]]:
    places: dict[str, int] = {}
    codes: list[int] = []
    lengths = []
    for text in documents:
        tokens = [*_WORD.findall(text), END]
        codes += [places.setdefault(token, len(places)) for token in tokens]
        lengths.append(len(tokens))
    return np.array(codes, dtype=np.int64), list(places), _starts(lengths)


def header_values(name: str, text: str, tokens: Sequence[str], unit: str) -> list[str]:
    """The value of a header line that holds at each of a text's tokens and behind the last; empty where none does.

    That is the last such line that ended before: within a line, where it ends is not known yet.
    """
    found, value, held = [""] * (len(tokens) + 1), "", 0
    # Where each token begins in the text; of characters and bytes every place is a token's.
    begins = np.cumsum([0, *map(len, tokens)]) if unit == "words" else None
    for match in re.finditer(rf"^{re.escape(name)}:[ \t]*([^\n%]*?)[ \t]*(?:%[^\n]*)?\n", text, re.MULTILINE):
        at = match.end() if begins is None else int(np.searchsorted(begins, match.end()))
        found[held:at] = [value] * (at - held)
        value, held = match[1], at
    return [*found[:held], *[value] * (len(found) - held)]


def frequent_tokens(counts: Mapping[str, int], form: SequenceForm) -> tuple[str, ...]:
    """The tokens that occur most often, among equals the first by name, and the one that ends a document; sorted.

    `counts` are those in the clients' training documents. Raises ValueError where none occurs often enough.
    """
    often = [(-count, token) for token, count in counts.items() if count >= form.least and token != END]
    if not often:
        raise ValueError(f"no token occurs {form.least} times in the clients' documents; lower data.source.min_count")
    return tuple(sorted([END, *(token for _, token in sorted(often)[: form.vocabulary])]))


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)


@dataclass(frozen=True)
class TokenCosts:
    """What an unknown token costs beyond saying that it is unknown: log₂ of what it may stand for.

    A character is one of the code points, a byte one of the 256, that are not known. A word is spelled: each of its
    characters, and the end behind the last, is one of those that known words have, or costs log₂ of all code points
    more.
    """

    unit: str
    known: tuple[str, ...]

    def bits(self, token: str) -> float:
        """log₂ of what an unknown token may stand for."""
        if self.unit != "words":
            every = 256 if self.unit == "bytes" else _CHARACTERS
            return math.log2(max(1, every - len(self.known) + (END in self.known)))
        letter = math.log2(len(self._letters) + 2)
        return (len(token) + 1) * letter + sum(math.log2(_CHARACTERS) for one in token if one not in self._letters)

    @cached_property
    def _letters(self) -> frozenset[str]:
        return frozenset("".join(self.known))
