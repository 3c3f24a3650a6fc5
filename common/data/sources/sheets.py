"""Comma-separated files as columns of texts: read by Arrow, every mistake named with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from common.data.sources.files import csv_rows, existing_file, expand_pattern, lines_of
from common.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv as arrow

_BLOCK = 1 << 30
"""Bytes that are read at once; no row may be longer."""


class SheetOptions(Protocol):
    """What is said of how sheets are written."""

    @property
    def path(self) -> str | tuple[str, ...]:
        """The files."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names, where the files do not have them."""

    @property
    def header(self) -> bool:
        """Whether the first line names the columns."""

    @property
    def separator(self) -> str:
        """What stands between values."""


@dataclass
class Sheet:
    """The texts in one or more files, column by column."""

    names: list[str]
    columns: list[pa.StringArray]
    files: list[tuple[Path, int]]
    """The files and how many rows each has."""
    spec: SheetOptions

    def where(self, row: int) -> str:
        """The file and line of a row; the file is gone through again to find it."""
        for file, rows in self.files:
            if row < rows:
                return f"{file}:{_line_of(file, list(lines_of(file)), self.spec, row)}"
            row -= rows
        raise IndexError(row)


def files_of(spec: SheetOptions) -> list[Path]:
    """The files that a source names. Raises InputError where there is none."""
    if isinstance(spec.path, str):
        return expand_pattern(spec.path, "data.source.path")
    return [existing_file(path, "data.source.path") for path in spec.path]


def sheet_of(path: Path, spec: SheetOptions) -> Sheet:
    """One file's texts. Raises InputError for a row with more or fewer values than there are columns."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow

    lines = list(lines_of(path))
    if told := re.fullmatch(r'"?sep=(.)"?\s*', lines[0]):
        # Excel's own line, which names the separator.
        if told[1] != spec.separator:
            raise InputError(f"{path}:1: the file says {told[1]!r} stands between values", "data.source.separator")
        lines[0] = "\n"
    _check_separator(path, next((line for line in lines if line.strip()), ""), spec)
    if any('"' in line for line in lines):
        # Arrow takes quotes as they come, also one that is never closed.
        _line_of(path, lines, spec, -1)
    names, first = _header(path, lines, spec)
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    odd: list[arrow.InvalidRow] = []

    def refused(row: arrow.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    content = "".join(lines[first:]).encode()
    if content.isspace() or not content:
        raise InputError(f"{path}: no rows in it")
    ids = [str(place) for place in range(len(names))]
    table = arrow.read_csv(
        pa.BufferReader(content),
        read_options=arrow.ReadOptions(column_names=ids, use_threads=False, block_size=min(len(content) + 1, _BLOCK)),
        parse_options=arrow.ParseOptions(
            delimiter=spec.separator, newlines_in_values=True, invalid_row_handler=refused
        ),
        convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(ids, pa.string()), strings_can_be_null=False),
    )
    if odd:
        line = _line_of(path, lines, spec, odd[0].number - 1)
        raise InputError(f"{path}:{line}: expected {len(names)} values, found {odd[0].actual_columns}")
    if not table.num_rows:
        raise InputError(f"{path}: no rows in it")
    if twice:
        raise InputError(f"{path}: two columns are named {twice[0]!r}")
    columns = [pc.utf8_trim_whitespace(column.combine_chunks()) for column in table.columns]
    return Sheet(names, columns, [(path, table.num_rows)], spec)


def concatenate_sheets(sheets: list[Sheet]) -> Sheet:
    """The rows of all sheets. Raises InputError where their columns differ."""
    import pyarrow as pa

    first = sheets[0]
    for sheet in sheets[1:]:
        if sheet.names != first.names:
            odd = sorted(set(sheet.names) ^ set(first.names)) or sheet.names
            raise InputError(f"{sheet.files[0][0]}: expected the columns of {first.files[0][0]}; differs in {odd}")
    columns = [pa.concat_arrays([sheet.columns[index] for sheet in sheets]) for index in range(len(first.names))]
    return Sheet(first.names, columns, [file for sheet in sheets for file in sheet.files], first.spec)


def _header(path: Path, lines: list[str], spec: SheetOptions) -> tuple[list[str], int]:
    """The columns' names, and at which line the rows begin."""
    if spec.names or not spec.header:
        return list(spec.names or ()), 0
    for line, values in csv_rows(path, lines, spec.separator):
        if values:
            return [name.strip() for name in values], line
    return [], len(lines)


def _line_of(path: Path, lines: Iterable[str], spec: SheetOptions, row: int) -> int:
    """The line at which a row ends; -1 goes through all. Raises InputError where quotes are not in order."""
    left = row + (spec.header and not spec.names)
    for line, values in csv_rows(path, lines, spec.separator):
        if values and (left := left - 1) == -1 and row >= 0:
            return line
    return -1


def _check_separator(path: Path, first: str, spec: SheetOptions) -> None:
    if spec.separator not in first:
        for other in ";\t|,":
            if other in first:
                raise InputError(
                    f"{path}:1: expected {spec.separator!r} between values; is it {other!r}?", "data.source.separator"
                )
