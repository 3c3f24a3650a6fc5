"""Tables in comma-separated files: numbers, categories, gaps; several files are several natural clients."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.labels import encode, whole_number
from common.data.sources.files import digest, existing_file, expanded, lines_of
from common.data.table import Column, Table, category
from common.errors import InputError
from common.scenario.sources import CsvSource

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
    files = _files(spec)
    return f"{digest(files)} {[file.name for file in files]}"


def read(spec: CsvSource, seed: int) -> Table:
    """The rows of all files; a column is numeric where every value in it is a number or missing."""
    files = _files(spec)
    sheets = [_sheet(file, spec) for file in files]
    sheet = _together(sheets)
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
        groups = [file.stem for file, one in zip(files, sheets, strict=True) for _ in one.lines]
    y, labels, kept = _target(target, spec, missing, sheet, hints)
    codes, group_names = (None, []) if groups is None else encode(np.asarray(groups)[kept])
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
        group_names=[str(name) for name in group_names],
        hints=hints,
    )


@dataclass
class _Sheet:
    """The texts in one or more files, column by column."""

    names: list[str]
    columns: list[list[str]]
    lines: list[tuple[Path, int]] = field(default_factory=list)
    """Where each row stands."""

    def where(self, row: int) -> str:
        file, line = self.lines[row]
        return f"{file}:{line}"


def _files(spec: CsvSource) -> list[Path]:
    if isinstance(spec.path, str):
        return expanded(spec.path, "data.source.path")
    return [existing_file(path, "data.source.path") for path in spec.path]


def _sheet(path: Path, spec: CsvSource) -> _Sheet:
    """One file's texts. Raises InputError for a row with more or fewer values than there are columns."""
    texts = list(lines_of(path))
    _check_separator(path, texts[0], spec)
    reader = csv.reader(texts, delimiter=spec.separator, strict=True)
    names = list(spec.names or ())
    rows: list[list[str]] = []
    lines: list[tuple[Path, int]] = []
    try:
        for row in reader:
            if not row:
                continue
            if spec.header and not names:
                names = [name.strip() for name in row]
                continue
            if len(row) != len(names):
                raise InputError(f"{path}:{reader.line_num}: expected {len(names)} values, found {len(row)}")
            rows.append([value.strip() for value in row])
            lines.append((path, reader.line_num))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV file: {error}") from None
    if not rows:
        raise InputError(f"{path}: no rows in it")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: two columns are named {twice[0]!r}")
    return _Sheet(names, [list(column) for column in zip(*rows, strict=True)], lines)


def _check_separator(path: Path, first: str, spec: CsvSource) -> None:
    if spec.separator not in first:
        for other in ";\t|,":
            if other in first:
                raise InputError(
                    f"{path}:1: expected {spec.separator!r} between values; is it {other!r}?", "data.source.separator"
                )


def _together(sheets: list[_Sheet]) -> _Sheet:
    first = sheets[0]
    for sheet in sheets[1:]:
        if sheet.names != first.names:
            odd = sorted(set(sheet.names) ^ set(first.names)) or sheet.names
            raise InputError(f"{sheet.lines[0][0]}: expected the columns of {first.lines[0][0]}; differs in {odd}")
    columns = [[value for sheet in sheets for value in sheet.columns[index]] for index in range(len(first.names))]
    return _Sheet(first.names, columns, [line for sheet in sheets for line in sheet.lines])


def _check_names(spec: CsvSource, sheet: _Sheet) -> None:
    named = {"target": [spec.target], "client": [spec.client] if spec.client else []}
    named |= {key: list(getattr(spec, key)) for key in ("drop", "numeric", "categorical")}
    for key, names in named.items():
        for name in names:
            if name not in sheet.names:
                near = get_close_matches(name, sheet.names, 1)
                advice = f"did you mean {near[0]}?" if near else f"the file has {', '.join(sheet.names[:20])}"
                raise InputError(f"no column {name!r}; {advice}", f"data.source.{key}")


def _column(
    name: str, values: list[str], spec: CsvSource, missing: frozenset[str], sheet: _Sheet, hints: list[str]
) -> tuple[Column, NDArray[np.float64]] | None:
    """A column and its values, categories as codes; None for one that is left out, with a hint that says so."""
    known = [value for value in values if value not in missing]
    if not known:
        hints.append(f"column {name}: left out, every value in it is missing")
        return None
    if name not in spec.categorical:
        numbers = _numbers(values, missing)
        if numbers is not None:
            return Column(name), numbers
        if name in spec.numeric:
            row = next(row for row, value in enumerate(values) if _numbers([value], missing) is None)
            raise InputError(f"{sheet.where(row)}: {name}: expected a number, found {values[row]!r}")
        if _all_are(float, known):
            row = next(row for row, value in enumerate(values) if _numbers([value], missing) is None)
            raise InputError(
                f"{sheet.where(row)}: {name}: expected a finite number, found {values[row]!r}; "
                "data.source.missing says what stands for a missing value"
            )
        if all(_DATE.fullmatch(value) for value in known):
            hints.append(f"column {name}: left out, it holds dates; give their parts (month, hour, …) as columns")
            return None
        odd = [row for row, value in enumerate(values) if _numbers([value], missing) is None]
        if len(odd) <= _FEW_ODD * len(known):
            hints.append(
                f"column {name}: taken for categories, since {values[odd[0]]!r} in {sheet.where(odd[0])} is no number; "
                f"is it a missing value (data.source.missing)?"
            )
    categories = sorted(set(map(category, known)))
    if len(categories) > _MOST_CATEGORIES:
        raise InputError(
            f"{name}: {len(categories)} different texts in {len(known)} rows are no categories; "
            f"leave it out with drop: [{name}]",
            "data.source.drop",
        )
    places = {one: float(code) for code, one in enumerate(categories)} | dict.fromkeys(missing, np.nan)
    return Column(name, tuple(categories)), np.array(
        [places[value if value in missing else category(value)] for value in values]
    )


def _all_are(kind: Callable[[str], object], values: list[str]) -> bool:
    try:
        for value in values:
            kind(value)
    except ValueError:
        return False
    return True


def _numbers(values: list[str], missing: frozenset[str]) -> NDArray[np.float64] | None:
    """The values as numbers, NaN where they are missing; None where one is no finite number."""
    try:
        numbers = np.array([np.nan if value in missing else float(value) for value in values])
    except ValueError:
        return None
    gaps = np.array([value in missing for value in values])
    return numbers if np.isfinite(numbers[~gaps]).all() else None


def _target(
    values: list[str], spec: CsvSource, missing: frozenset[str], sheet: _Sheet, hints: list[str]
) -> tuple[NDArray[np.generic], list[str | int], NDArray[np.bool_]]:
    """The targets or label codes, the labels, and which rows have one; rows without are left out."""
    kept = np.array([value not in missing for value in values])
    if not kept.all():
        hints.append(f"{int((~kept).sum())} rows are left out, their {spec.target} is missing")
    if not kept.any():
        raise InputError(f"every {spec.target} is missing", "data.source.target")
    known = [value for value, keep in zip(values, kept, strict=True) if keep]
    numbers = _numbers(known, frozenset())
    if numbers is None and (spec.task == "regression" or spec.threshold is not None):
        row = next(r for r, value in enumerate(values) if kept[r] and _numbers([value], frozenset()) is None)
        raise InputError(f"{sheet.where(row)}: {spec.target}: expected a number, found {values[row]!r}")
    if numbers is not None and spec.threshold is not None:
        return (numbers > spec.threshold).astype(np.int64), [0, 1], kept
    whole = numbers is not None and np.array_equal(numbers, np.round(numbers))
    few = whole and numbers is not None and len(np.unique(numbers)) <= _MOST_LABELS
    if numbers is not None and (spec.task == "regression" or (spec.task == "auto" and not few)):
        return numbers.reshape(-1, 1), [], kept
    if numbers is not None and not whole:
        raise InputError(
            f"{spec.target}: expected whole numbers or texts as labels, found fractions", "data.source.task"
        )
    counted = [whole_number(value) for value in known]
    # Where one is written as 01 or 1e3, all are texts.
    codes, labels = encode(np.array(known if None in counted else counted, dtype=object))
    return codes, labels, kept
