"""Tables in comma-separated files: numbers, categories, gaps; several files are several natural clients."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from common.data.labels import encode, encode_names, whole_number
from common.data.numbers import MARKS, POINT, best_form, describe_form, forms, number
from common.data.sources.files import digest, distinct_names
from common.data.sources.sheets import Sheet, concatenate_sheets, files_of, sheet_of
from common.data.table import Column, Table, category
from common.errors import InputError
from common.scenario.base import key, refuse
from common.scenario.sources import Files, SourcePart, TaskChoice

if TYPE_CHECKING:
    import pyarrow as pa


class CsvSource(SourcePart, name="csv", runs="common.data.sources.csv"):
    """Tables in text files, of numbers and categories; several files are several natural clients."""

    path: Files = key(
        "The file; or several, as a list or a pattern with * in it: each is a natural client (partition: natural)."
    )
    target: str = key("The column to predict.")
    task: TaskChoice = key("auto takes texts and up to 20 whole numbers for labels, other numbers for targets.", "auto")
    threshold: float | None = key(
        "Make two classes of a numeric target: 0 up to this number, 1 above it.", None, unit="of the target"
    )
    header: bool = key("Whether the first line names the columns; if not, give names.", True)
    names: tuple[str, ...] | None = key("The columns' names, for files without a header.", None, strict=False)
    separator: str = key("What stands between values.", ",", min_length=1, max_length=1)
    decimal: Literal["auto", ".", ","] = key(
        "What stands before decimals: auto reads a column with a comma where all of it are numbers so.", "auto"
    )
    drop: tuple[str, ...] = key("Columns to leave out.", (), strict=False)
    numeric: tuple[str, ...] = key(
        "Columns that must hold numbers; anything else in them is a mistake.", (), strict=False
    )
    categorical: tuple[str, ...] = key("Columns to take for categories though they hold numbers.", (), strict=False)
    client: str | None = key("The column that names each row's natural client; it is no feature.", None)
    missing: tuple[str, ...] = key(
        "What stands for a missing value.", ("", "?", "NA", "NaN", "nan", "null"), strict=False
    )

    @model_validator(mode="after")
    def _fits(self) -> CsvSource:
        if not self.header and self.names is None:
            raise refuse("names", "the columns' names, since the file has no header")
        if self.header and self.names is not None:
            raise refuse("names", "no names, since the file has a header (or header: false)")
        if self.task == "regression" and self.threshold is not None:
            raise refuse("threshold", "no threshold for a regression: it makes two classes")
        if self.decimal == self.separator:
            raise refuse("decimal", "another character than the separator")
        if self.client == self.target:
            raise refuse("client", "another column than the target")
        if self.separator in '"\r\n':
            raise refuse("separator", "a character that neither quotes nor ends a line")
        for name in self.numeric:
            if name in self.categorical:
                raise refuse("numeric", f"columns that are not categorical, too; {name} is")
        for name in self.drop:
            if name in (self.target, self.client):
                raise refuse("drop", f"columns that are not needed; {name} is")
        return self


Numbers = NDArray[np.float64]

seeded = False

_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = (
    rf"(\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}|"
    rf"\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{2,4}})"
)
_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?( ?(Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_DATE = re.compile(rf"{_DAY}([T ,]+{_TIME})?|{_TIME}", re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_MOST_LABELS = 20
"""A target of more different whole numbers than this is taken for a quantity."""
_MANY_LABELS = 200
"""Up to this many whole numbers may well be labels, as letters and countries are."""
_MOST_CATEGORIES = 1000
_FEW_ODD = 0.1
"""A column with no more than this share of texts among its numbers may well be meant as numbers."""


def fingerprint(spec: CsvSource) -> str:
    """A hash of the files, and their names where they are clients."""
    files = files_of(spec)
    return f"{digest(files)} {distinct_names(files)}"


def read(spec: CsvSource, seed: int) -> Table:
    """The rows of all files; a column is numeric where every value in it is a number or missing."""
    import pyarrow as pa

    files = files_of(spec)
    sheets = [sheet_of(file, spec) for file in files]
    sheet = concatenate_sheets(sheets)
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
        names = distinct_names([file for file, _ in sheet.files])
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
    named |= {name: list(getattr(spec, name)) for name in ("drop", "numeric", "categorical")}
    for option, names in named.items():
        for name in names:
            if name not in sheet.names:
                near = get_close_matches(name, sheet.names, 1)
                advice = f"did you mean {near[0]}?" if near else f"the file has {', '.join(sheet.names[:20])}"
                raise InputError(f"no column {name!r}; {advice}", f"data.source.{option}")


def _column(
    name: str, values: pa.StringArray, spec: CsvSource, missing: frozenset[str], sheet: Sheet, hints: list[str]
) -> tuple[Column, Numbers] | None:
    """A column and its values, categories as codes; None for one that is left out, with a hint that says so."""
    import pyarrow.compute as pc

    gaps = _gaps(values, missing)
    if gaps.all():
        hints.append(f"column {name}: left out, every value in it is missing")
        return None
    if name not in spec.categorical:
        found = _read(name, values, gaps, spec, sheet)
        odd = found.odd
        if not len(odd):
            hints += found.hints(f"column {name}", values, sheet)
            if not name and _counts_rows(found.numbers):
                hints.append("column '': left out, it has no name and numbers the rows")
                return None
            return Column(name, form=found.form, missing=(*spec.missing, *found.marks)), found.numbers
        row, text = int(odd[0]), values[int(odd[0])].as_py()
        if name in spec.numeric:
            raise InputError(f"{sheet.where(row)}: {name}: expected a number, found {text!r}")
        distinct = pc.unique(values.filter(~gaps)).to_pylist()
        if all(_DATE.fullmatch(value) for value in distinct):
            hints.append(f"column {name}: left out, it holds dates; give their parts (month, hour, …) as columns")
            return None
        if len(odd) <= _FEW_ODD * (~gaps).sum():
            hints.append(
                f"column {name}: taken for categories, since {text!r} in {sheet.where(row)} is no number; "
                f"is it a missing value (data.source.missing)?"
            )
    coded = values.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    categories = sorted({category(text) for text in texts if text not in missing})
    known = int((~gaps).sum())
    if len(categories) > _MOST_CATEGORIES:
        raise InputError(
            f"{name}: {len(categories)} different texts in {known} rows are no categories; "
            f"leave it out with drop: [{name}]",
            "data.source.drop",
        )
    if len(categories) > _MOST_LABELS and len(categories) > known / 2:
        hints.append(
            f"column {name}: {len(categories)} different texts in {known} rows, such as {categories[0]!r}, become a "
            f"feature each; drop: [{name}] leaves the column out"
        )
    places = {one: float(code) for code, one in enumerate(categories)}
    codes = np.array([np.nan if text in missing else places[category(text)] for text in texts])
    return Column(name, tuple(categories), missing=spec.missing), codes[coded.indices.to_numpy()]


@dataclass
class _NumberColumn:
    """A column of texts, read as numbers as far as they are some."""

    numbers: Numbers
    """NaN where a value is missing or no number, (rows,)."""
    odd: NDArray[np.intp]
    """The rows of what is neither a number nor missing."""
    form: str
    marks: tuple[str, ...] = ()
    """What was taken for missing values though the scenario does not name it."""
    marked: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    """The rows of these."""
    example: int = 0
    """A row with a number in it that shows the form."""

    def hints(self, what: str, values: pa.StringArray, sheet: Sheet) -> list[str]:
        """What the user should know of how it was read."""
        told = []
        if self.form != POINT:
            example, text = sheet.where(self.example), values[self.example].as_py()
            how = f"read as numbers with {describe_form(self.form)}"
            told.append(f"{what}: {how}, such as {text!r} in {example} (data.source.decimal)")
        if len(self.marked):
            marks, where = ", ".join(map(repr, self.marks)), sheet.where(int(self.marked[0]))
            told.append(
                f"{what}: {len(self.marked)} values {marks} are taken for missing, the first in {where}; "
                "data.source.missing says what stands for a missing value"
            )
        return told


def _read(name: str, values: pa.StringArray, gaps: NDArray[np.bool_], spec: CsvSource, sheet: Sheet) -> _NumberColumn:
    """The values as numbers, in the form in which most of them are some.

    Raises InputError for an infinite number, and where most values are different numbers but some are no numbers at
    all: as categories they would say nothing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers, known, form = np.full(len(values), np.nan), values.filter(~gaps), POINT
    try:
        if spec.decimal == ",":
            raise pa.ArrowInvalid("a point is not what stands before decimals")
        numbers[~gaps] = pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        coded = known.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        form = best_form([text for text in texts if text.lower() not in MARKS], forms(spec.decimal, spec.separator))
        distinct = np.array([np.nan if (found := number(text, form)) is None else found for text in texts])
        numbers[~gaps] = distinct[coded.indices.to_numpy()]
    odd = np.flatnonzero(~np.isfinite(numbers) & ~gaps)
    if not len(odd):
        return _NumberColumn(numbers, odd, form, example=_example(values, gaps, form))
    odd_texts = pc.unique(values.take(pa.array(odd))).to_pylist()
    are_labels = name == spec.target and spec.task == "classification"
    if not are_labels and all(_NOT_FINITE.fullmatch(text) or np.isinf(number(text, form) or 0.0) for text in odd_texts):
        raise InputError(
            f"{sheet.where(int(odd[0]))}: {name}: expected a finite number, found {odd_texts[0]!r}; "
            "data.source.missing says what stands for a missing value"
        )
    right = np.isfinite(numbers)
    if right.any() and all(text.lower() in MARKS for text in odd_texts):
        nothing = np.empty(0, np.intp)
        return _NumberColumn(numbers, nothing, form, tuple(odd_texts), odd, _example(values, ~right, form))
    if right.sum() > len(odd) and len(np.unique(numbers[right])) > _MOST_LABELS and not are_labels:
        raise InputError(
            f"{sheet.where(int(odd[0]))}: {name}: {odd_texts[0]!r} is no number, {right.sum()} other values are; name "
            "it in data.source.missing if it stands for a missing value, or the column in categorical or drop"
        )
    return _NumberColumn(numbers, odd, form)


def _example(values: pa.StringArray, without: NDArray[np.bool_], form: str) -> int:
    """A row whose text shows the form, where it is not plain."""
    if form == POINT:
        return 0
    marks = set(form) - {POINT}
    rows = np.flatnonzero(~without)[:10_000].tolist()
    return next((row for row in rows if marks & set(values[row].as_py())), rows[0] if rows else 0)


def _counts_rows(numbers: Numbers) -> bool:
    """Whether these are 0, 1, 2, … or 1, 2, 3, …"""
    return len(numbers) > 1 and bool((numbers[0] in (0, 1)) and (np.diff(numbers) == 1).all())


def _gaps(values: pa.StringArray, missing: frozenset[str]) -> NDArray[np.bool_]:
    """Which values are missing, (rows,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: NDArray[np.bool_] = pc.is_in(values, pa.array(sorted(missing), pa.string())).to_numpy(zero_copy_only=False)
    return found


def _target(
    values: pa.StringArray, spec: CsvSource, missing: frozenset[str], sheet: Sheet, hints: list[str]
) -> tuple[NDArray[np.generic], list[str | int], NDArray[np.bool_]]:
    """The targets or label codes, the labels, and which rows have one; rows without are left out."""
    gaps = _gaps(values, missing)
    if gaps.all():
        raise InputError(f"every {spec.target} is missing", "data.source.target")
    found = _read(spec.target, values, gaps, spec, sheet)
    numbers, odd = found.numbers, found.odd
    labels_wanted = spec.task == "classification" and spec.threshold is None
    if not labels_wanted:
        hints += found.hints(spec.target, values, sheet)
        gaps[found.marked] = True
    kept = ~gaps
    if gaps.any():
        hints.append(f"{int(gaps.sum())} rows are left out, their {spec.target} is missing")
    numbers = numbers[kept]
    if len(odd) and (spec.task == "regression" or spec.threshold is not None):
        text = values[int(odd[0])].as_py()
        raise InputError(f"{sheet.where(int(odd[0]))}: {spec.target}: expected a number, found {text!r}")
    if not len(odd) and not (labels_wanted and len(found.marked)):
        if spec.threshold is not None:
            return (numbers > spec.threshold).astype(np.int64), [0, 1], kept
        whole = np.array_equal(numbers, np.round(numbers))
        if spec.task == "regression" or (spec.task == "auto" and not (whole and _few(numbers))):
            if spec.task == "auto" and whole and (classes := len(np.unique(numbers))) <= _MANY_LABELS:
                hints.append(
                    f"{spec.target}: {classes} different whole numbers are taken for a quantity (a regression); "
                    "data.source.task: classification takes them for labels"
                )
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
