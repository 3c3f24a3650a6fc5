"""The column of a table that a partition goes by."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.labels import encode_names
from common.data.prepared import Indices
from common.data.table import Table
from common.errors import InputError

_KEY = "data.partition.by"


def numbers(table: Table, rows: Indices, name: str) -> NDArray[np.float64]:
    """The target or a numeric column. Raises InputError where there is none of that name, or gaps in it."""
    if name == "target":
        target = table.y if table.y.ndim == 1 else table.y[:, 0]
        return np.asarray(target[rows], dtype=np.float64)
    index = _index(table, name, ["target"])
    if table.columns[index].categories is not None:
        raise InputError(f"expected a column of numbers, {name} holds texts", _KEY)
    values = np.asarray(table.x[rows, index], dtype=np.float64)
    if np.isnan(values).any():
        raise InputError(f"{name} has {int(np.isnan(values).sum())} missing values", _KEY)
    return values


def groups(table: Table, rows: Indices, name: str) -> tuple[Indices, list[str]]:
    """The group of each row, as codes 0 …, and the groups' names, in natural order.

    Raises InputError where the source has no groups, or no column of that name with texts or whole numbers.
    """
    if name == "client":
        if table.groups is None:
            raise InputError("the source names no natural clients; name a column", _KEY)
        return _compact(table.groups[rows], np.asarray(table.group_names, dtype=object))
    index = _index(table, name, ["client"])
    values = table.x[rows, index].astype(np.float64)
    if np.isnan(values).any():
        raise InputError(f"{name} has {int(np.isnan(values).sum())} missing values", _KEY)
    categories = table.columns[index].categories
    if categories is not None:
        codes, names = _compact(values.astype(np.int64), np.asarray(categories, dtype=object))
        own, ordered = encode_names(names)
        return own[codes], ordered
    if not np.array_equal(values, np.round(values)):
        raise InputError(f"expected a column of texts or whole numbers, {name} holds fractions", _KEY)
    found, codes = np.unique(values.astype(np.int64), return_inverse=True)
    return codes, [str(value) for value in found]


def _compact(codes: Indices, names: NDArray[Any]) -> tuple[Indices, list[str]]:
    """Codes without those that no row has."""
    found, compact = np.unique(codes, return_inverse=True)
    return compact, [str(name) for name in names[found]]


def _index(table: Table, name: str, others: list[str]) -> int:
    known = [column.name for column in table.columns]
    if name not in known:
        near = get_close_matches(name, [*known, *others], 1)
        advice = f"did you mean {near[0]}?" if near else f"known: {', '.join([*others, *known][:12])}"
        raise InputError(f"no column {name!r}; {advice}", _KEY)
    return known.index(name)
