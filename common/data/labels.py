"""Labels as codes: names are kept as they were written, and two different ones never become one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.tasks import Label

_DIGITS = re.compile(r"([0-9]{1,1000})")
_WHOLE = re.compile(r"(0|-?[1-9]\d{0,999})(\.0+)?", re.ASCII)
"""Longer ones are texts: Python reads no number of more than 4,300 digits."""


def encode(labels: NDArray[Any], where: str = "labels", key: str = "") -> tuple[NDArray[np.int64], list[Label]]:
    """Labels, shape (rows,), as codes 0 … and the sorted list of their names: whole numbers, or texts.

    Bytes are read as UTF-8, fractions that are whole count as whole numbers; an array of objects holds nothing but
    Python's texts, or whole numbers of any size. Raises InputError, which begins with
    `where`, for anything else: the message names the row.
    """
    kind = labels.dtype.kind
    if kind == "S":
        labels = np.array([_text(label, f"{where}: row {row}", key) for row, label in enumerate(labels.tolist())])
    elif kind == "f":
        labels = _whole_numbers(labels, where, key)
    elif kind not in "iubUO" or (kind == "O" and {type(label) for label in labels} not in ({int}, {str})):
        raise InputError(f"{where}: expected whole numbers or texts as labels, found {labels.dtype}", key)
    names, codes = np.unique(labels, return_inverse=True)
    return codes.reshape(-1).astype(np.int64), names.astype(int if kind == "b" else names.dtype).tolist()


def encode_names(names: Sequence[Any]) -> tuple[NDArray[np.int64], list[str]]:
    """Names, shape (rows,), as codes 0 … and the list of names in natural order: 2 before 10, `site2` before `site10`.

    A whole number is one and the same as a number and as a text, with zeros behind its point or not.
    """
    numbers = ((str(name), whole_number(str(name))) for name in names)
    told = [text if number is None else str(number) for text, number in numbers]
    ordered = sorted(set(told), key=natural)
    places = {name: code for code, name in enumerate(ordered)}
    return np.array([places[name] for name in told], dtype=np.int64), ordered


def natural(name: str) -> tuple[Any, ...]:
    """A key for sorting names as people do: runs of digits by their number, the rest by its characters."""
    number = whole_number(name)
    if number is not None:
        return (0, number, name)
    # Texts and digits take turns, so that equals are compared with equals.
    parts = _DIGITS.split(name)
    return (1, [int(part) if place % 2 else part for place, part in enumerate(parts)], name)


def whole_number(text: str) -> int | None:
    """The whole number that a text is, zeros behind its point or not; None for 01, +1 and 1e3: they are texts."""
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else None


def one_hot(y: NDArray[Any]) -> bool:
    """Whether rows of `y`, shape (rows, classes), hold a single 1 among zeros."""
    return y.ndim == 2 and y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def _text(label: bytes, where: str, key: str) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError:
        raise InputError(f"{where}: {label!r} is no UTF-8 text", key) from None


def _whole_numbers(labels: NDArray[Any], where: str, key: str) -> NDArray[np.object_]:
    odd = np.flatnonzero(~np.isfinite(labels) | (labels != np.round(labels)))
    if len(odd):
        found = labels[odd[0]]
        raise InputError(f"{where}: row {odd[0]}: expected whole numbers or texts as labels, found {found:g}", key)
    # As Python's own: no fixed width takes every whole number that a float holds.
    return np.array([int(label) for label in labels.tolist()], dtype=object)
