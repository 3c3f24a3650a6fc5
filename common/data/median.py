"""The exact median of columns from counts alone, digit by digit: radix selection (Knuth 1998, volume 3, section 5.2.5).

Every float64 has a key of 64 bits in the same order. Starting from nothing, hosts count how many of their numbers begin
with the digits found so far, by their next digit of 8 bits; from the sum of these counts follows the next digit of the
number with a certain rank. After eight rounds of counts it is known to the last bit, and no number has travelled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIGITS = 8
"""Digits of a key, 8 bits each."""
_SIGN = np.uint64(1 << 63)


def keys(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Keys in the order of the numbers."""
    bits = (numbers + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def numbers_of(found: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The numbers with these keys."""
    return np.where(found & _SIGN, found ^ _SIGN, ~found).view(np.float64)


def counts(rows: NDArray[np.float64], prefixes: NDArray[np.uint64], known: int) -> NDArray[np.int64]:
    """How many of the rows' numbers begin with the first `known` digits of the prefixes, by their next digit.

    `rows` has shape (rows, columns), `prefixes` (ranks, columns); shape (ranks, columns, 256). NaN does not count.
    """
    columns = rows.shape[1]
    all_keys, there = keys(rows), ~np.isnan(rows)
    digits = (all_keys >> np.uint64(56 - 8 * known)).astype(np.int64) & 255
    places = digits + 256 * np.arange(columns)
    found = np.empty((len(prefixes), columns, 256), np.int64)
    for rank, prefix in enumerate(prefixes):
        # A shift by all 64 bits is not defined.
        alike = there if known == 0 else there & ((all_keys ^ prefix) >> np.uint64(64 - 8 * known) == 0)
        found[rank] = np.bincount(places[alike], minlength=256 * columns).reshape(columns, 256)
    return found


def medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each column of `rows`, shape (rows, columns); NaN for one without numbers."""
    there = ~np.isnan(rows)
    filled = np.where(there.any(axis=0), rows, 0.0)
    return np.where(there.any(axis=0), np.nanmedian(filled, axis=0), np.nan)


class MedianSearch:
    """The search for the two middle numbers of columns with this many numbers each."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        """`numbers` has shape (columns,), each at least 1."""
        self._left = np.stack([(numbers - 1) // 2, numbers // 2])
        self.prefixes = np.zeros(self._left.shape, np.uint64)
        """What is known of the keys, (2, columns), later digits 0."""
        self.known = 0
        """How many digits of them are known."""

    def narrow(self, counted: NDArray[np.int64]) -> None:
        """Take in the sum of all hosts' counts, (2, columns, 256)."""
        below = counted.cumsum(axis=2)
        digit = (below <= self._left[..., None]).sum(axis=2)
        before = np.take_along_axis(np.pad(below, ((0, 0), (0, 0), (1, 0))), digit[..., None], axis=2)[..., 0]
        self._left = self._left - before
        self.prefixes = self.prefixes | (digit.astype(np.uint64) << np.uint64(56 - 8 * self.known))
        self.known += 1

    def median(self) -> NDArray[np.float64]:
        """The mean of the two, (columns,), once all digits are known."""
        low, high = numbers_of(self.prefixes)
        return np.asarray((low + high) / 2)
