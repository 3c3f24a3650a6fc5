"""A file of JSON objects, one to a line, that survives a full disk and a removed folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.whole_files import write_whole

Entry = dict[str, Any]


class JsonLinesFile:
    """Appends entries as they come; what could not be written waits until it can.

    Entries are kept in the file alone, so that a long run needs no more memory than a short one. An open file can
    be read even when it was removed; it is written anew in the end.
    """

    def __init__(self, path: Path, past: Iterable[Entry] = ()) -> None:
        """`past` are the entries to begin with; whatever else is in the file is dropped."""
        content = b"".join(_line(entry) for entry in past)
        write_whole(path, content)
        self._path, self._whole = path, len(content)
        self._file = path.open("r+b", buffering=0)
        self._waiting: list[bytes] = []

    def append(self, entry: Entry) -> None:
        """Add an entry. Never raises: a disk that is full now may not be in the end."""
        self._waiting.append(_line(entry))
        content = b"".join(self._waiting)
        with suppress(OSError):
            # From the last whole line on, over what a full disk let through of the next.
            self._file.seek(self._whole)
            if self._file.write(content) == len(content):
                self._whole += len(content)
                self._waiting.clear()

    def entries(self) -> list[Entry]:
        """Every entry, as it reads back."""
        return [json.loads(line) for line in self._content().splitlines()]

    def close(self) -> None:
        """Make sure that the file holds every entry. Raises OSError where it cannot."""
        with self._file:
            if self._waiting or not self._path.exists():
                write_whole(self._path, self._content())

    def _content(self) -> bytes:
        self._file.seek(0)
        return self._file.readall()[: self._whole] + b"".join(self._waiting)


def _line(entry: Entry) -> bytes:
    return (as_json(entry) + "\n").encode()


def as_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON, which has no NaN and no infinity: they become null."""
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_plain(value), indent=indent)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
