"""Where rows come in: whatever the source, numbers become types that training takes, and what cannot be is refused.

Refusals name the array, the row and the column, counted from 0 as NumPy does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.table import Gap, Table
from common.errors import InputError

LARGEST = 1e18
"""Beyond this a number's square, summed over rows, has no place in single precision."""
_PIECE = 1 << 22
"""How many numbers are looked at together."""
_EXACT = 1 << 24
"""Whole numbers up to this are the same in single precision."""


def normalize_table(table: Table) -> Table:
    """The table with rows of uint8, float32 or float64; its first gap is noted.

    Raises InputError for a number that is infinite or so large that sums overflow, and for a target that is missing.
    """
    if table.texts is None and table.documents is None:
        table.x = plain_numbers(table.x)
        table.gap = _check(table.x, table, "x")
    if table.task == "regression":
        table.y = plain_numbers(table.y).astype(np.float64, copy=False)
        if (gap := _check(table.y, table, "y")) is not None:
            raise InputError(f"{table.place('y', gap.row, gap.column)}: the target is missing (NaN)", "data.source")
    return table


def plain_numbers(x: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the nearest of the types uint8, float32 and float64, in this machine's byte order."""
    if x.dtype in (np.uint8, np.float32, np.float64) and x.dtype.isnative:
        return np.ascontiguousarray(x)
    if x.dtype.kind == "b" or x.dtype == np.float16:
        return np.ascontiguousarray(x, dtype=np.float32)
    small = x.dtype.kind in "iu" and (x.size == 0 or (int(x.min()) >= -_EXACT and int(x.max()) <= _EXACT))
    kind = np.float32 if small or x.dtype == np.dtype(">f4") else x.dtype.newbyteorder("=") if _bytes(x) else np.float64
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(x, dtype=kind)


def faults(x: NDArray[Any]) -> tuple[tuple[int, int] | None, Gap | None]:
    """Where the first number is that is infinite or too large, and the first NaN; rows of any shape count as flat."""
    if x.dtype.kind != "f":
        return None, None
    gap: Gap | None = None
    for start, piece in _pieces(x.reshape(len(x), -1)):
        with np.errstate(invalid="ignore"):
            fine = np.abs(piece) <= LARGEST
        if fine.all():
            continue
        missing = np.isnan(piece)
        odd = np.argwhere(~fine & ~missing)
        if len(odd):
            return (start + int(odd[0][0]), int(odd[0][1])), gap
        if gap is None:
            row, column = np.argwhere(missing)[0]
            gap = Gap(start + int(row), int(column))
    return None, gap


def _check(x: NDArray[Any], table: Table, name: str) -> Gap | None:
    odd, gap = faults(x)
    if odd is not None:
        raise InputError(f"{table.place(name, *odd)}: {_why_refused(float(x.reshape(len(x), -1)[odd]))}", "data.source")
    return gap


def _why_refused(number: float) -> str:
    if np.isinf(number):
        return "the number is infinite; a missing value is NaN"
    return f"{number:g} is too large to compute with (at most {LARGEST:g}); choose a larger unit"


def _bytes(x: NDArray[Any]) -> bool:
    return x.dtype.newbyteorder("=") in (np.uint8, np.float32, np.float64)


def _pieces(x: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    rows = max(1, _PIECE // max(1, x.shape[1]))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows]
