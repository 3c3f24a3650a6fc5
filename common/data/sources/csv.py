"""Tables in comma-separated files: numbers, categories, gaps; several files are several natural clients."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from common.data.labels import encode, encode_names, whole_number
from common.data.sources.files import digest, telling_names
from common.data.sources.sheets import Sheet, files_of, sheet_of, together
from common.data.table import Column, Table, category
from common.errors import InputError
from common.scenario.sources import CsvSource

Numbers = NDArray[np.float64]

seeded = False

_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?"
)
_MOST_LABELS = 20
"""A target of more different whole numbers than this is taken for a quantity."""
_MOST_CATEGORIES = 1000
_FEW_ODD = 0.1
"""A column with no more than this share of texts among its numbers may well be meant as numbers."""


def fingerprint(spec: CsvSource) -> str:
    """A hash of the files, and their names where they are clients."""
    files = files_of(spec)
    return f"{digest(files)} {telling_names(files)}"


def read(spec: CsvSource, seed: int) -> Table:
    """The rows of all files; a column is numeric where every value in it is a number or missing."""
    files = files_of(spec)
    sheets = [sheet_of(file, spec) for file in files]
    sheet = together(sheets)
    _check_names(spec, sheet)
    missing = frozenset(spec.missing)
    hints: list[str] = []
    target = sheet.columns.pop(sheet.names.index(spec.target))
    names = [name for name in sheet.names if name != spec.target]
    columns, arrays, groups = [], [], None
    for name, values in zip(names, sheet.columns, strict=True):
        if name == spec.client:
            groups = values
        elif name not in spec.drop:
            column = _column(name, values, spec, missing, sheet, hints)
            if column is not None:
                columns.append(column[0])
                arrays.append(column[1])
    if not columns:
        raise InputError(f"{files[0]}: no column is left to learn from; it has {', '.join(sheet.names)}")
    if groups is None and len(files) > 1:
        names = telling_names([file for file, _ in sheet.files])
        groups = pa.array([name for name, (_, rows) in zip(names, sheet.files, strict=True) for _ in range(rows)])
    y, labels, kept = _target(target, spec, missing, sheet, hints)
    codes, group_names = (None, []) if groups is None else encode_names(groups.filter(kept).to_pylist())
    x = np.stack(arrays, axis=1)[kept]
    return Table(
        x,
        y,
        "classification" if labels else "regression",
        labels,
        row_shape=(x.shape[1],),
        columns=columns,
        tabular=True,
        groups=codes,
        group_names=group_names,
        hints=hints,
    )


def _check_names(spec: CsvSource, sheet: Sheet) -> None:
    named = {"target": [spec.target], "client": [spec.client] if spec.client else []}
    named |= {key: list(getattr(spec, key)) for key in ("drop", "numeric", "categorical")}
    for key, names in named.items():
        for name in names:
            if name not in sheet.names:
                near = get_close_matches(name, sheet.names, 1)
                advice = f"did you mean {near[0]}?" if near else f"the file has {', '.join(sheet.names[:20])}"
                raise InputError(f"no column {name!r}; {advice}", f"data.source.{key}")


def _column(
    name: str, values: pa.StringArray, spec: CsvSource, missing: frozenset[str], sheet: Sheet, hints: list[str]
) -> tuple[Column, Numbers] | None:
    """A column and its values, categories as codes; None for one that is left out, with a hint that says so."""
    gaps = _gaps(values, missing)
    if gaps.all():
        hints.append(f"column {name}: left out, every value in it is missing")
        return None
    if name not in spec.categorical:
        numbers = _numbers(values, gaps)
        odd = np.flatnonzero(~np.isfinite(numbers) & ~gaps)
        if not len(odd):
            return Column(name), numbers
        row, found = int(odd[0]), values[int(odd[0])].as_py()
        if name in spec.numeric:
            raise InputError(f"{sheet.where(row)}: {name}: expected a number, found {found!r}")
        distinct = pc.unique(values.filter(~gaps)).to_pylist()
        if _all_are(float, distinct):
            raise InputError(
                f"{sheet.where(row)}: {name}: expected a finite number, found {found!r}; "
                "data.source.missing says what stands for a missing value"
            )
        if all(_DATE.fullmatch(value) for value in distinct):
            hints.append(f"column {name}: left out, it holds dates; give their parts (month, hour, …) as columns")
            return None
        if len(odd) <= _FEW_ODD * (~gaps).sum():
            hints.append(
                f"column {name}: taken for categories, since {found!r} in {sheet.where(row)} is no number; "
                f"is it a missing value (data.source.missing)?"
            )
    coded = values.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    categories = sorted({category(text) for text in texts if text not in missing})
    if len(categories) > _MOST_CATEGORIES:
        raise InputError(
            f"{name}: {len(categories)} different texts in {(~gaps).sum()} rows are no categories; "
            f"leave it out with drop: [{name}]",
            "data.source.drop",
        )
    places = {one: float(code) for code, one in enumerate(categories)}
    codes = np.array([np.nan if text in missing else places[category(text)] for text in texts])
    return Column(name, tuple(categories)), codes[coded.indices.to_numpy()]


def _gaps(values: pa.StringArray, missing: frozenset[str]) -> NDArray[np.bool_]:
    """Which values are missing, (rows,)."""
    found: NDArray[np.bool_] = pc.is_in(values, pa.array(sorted(missing), pa.string())).to_numpy(zero_copy_only=False)
    return found


def _all_are(kind: Callable[[str], object], values: list[str]) -> bool:
    try:
        for value in values:
            kind(value)
    except ValueError:
        return False
    return True


def _numbers(values: pa.StringArray, gaps: NDArray[np.bool_]) -> Numbers:
    """The values as numbers, NaN where they are missing or none, (rows,)."""
    numbers = np.full(len(values), np.nan)
    known = values.filter(~gaps)
    try:
        numbers[~gaps] = pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        # Python reads a few more ways to write a number, such as +1 and 1_000.
        coded = known.dictionary_encode()
        distinct = np.array([_number(text) for text in coded.dictionary.to_pylist()])
        numbers[~gaps] = distinct[coded.indices.to_numpy()]
    return numbers


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _target(
    values: pa.StringArray, spec: CsvSource, missing: frozenset[str], sheet: Sheet, hints: list[str]
) -> tuple[NDArray[np.generic], list[str | int], NDArray[np.bool_]]:
    """The targets or label codes, the labels, and which rows have one; rows without are left out."""
    gaps = _gaps(values, missing)
    kept = ~gaps
    if gaps.any():
        hints.append(f"{int(gaps.sum())} rows are left out, their {spec.target} is missing")
    if gaps.all():
        raise InputError(f"every {spec.target} is missing", "data.source.target")
    numbers = _numbers(values, gaps)
    odd = np.flatnonzero(~np.isfinite(numbers) & kept)
    numbers = numbers[kept]
    if len(odd) and (spec.task == "regression" or spec.threshold is not None):
        found = values[int(odd[0])].as_py()
        raise InputError(f"{sheet.where(int(odd[0]))}: {spec.target}: expected a number, found {found!r}")
    if not len(odd):
        if spec.threshold is not None:
            return (numbers > spec.threshold).astype(np.int64), [0, 1], kept
        whole = np.array_equal(numbers, np.round(numbers))
        if spec.task == "regression" or (spec.task == "auto" and not (whole and _few(numbers))):
            return numbers.reshape(-1, 1), [], kept
        if not whole:
            raise InputError(
                f"{spec.target}: expected whole numbers or texts as labels, found fractions", "data.source.task"
            )
    known = values.filter(kept).to_pylist()
    counted = [whole_number(value) for value in known]
    # Where one is written as 01 or 1e3, all are texts.
    codes, labels = encode(np.array(known if None in counted else counted, dtype=object))
    return codes, labels, kept


def _few(numbers: Numbers) -> bool:
    return len(np.unique(numbers)) <= _MOST_LABELS
