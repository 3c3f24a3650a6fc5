"""A file of JSON objects, one to a line, that survives a full disk and a removed folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from server.checkpoints import write_whole

Entry = dict[str, Any]


class Journal:
    """Appends entries as they come; what could not be written is kept and written in the end."""

    def __init__(self, path: Path, past: Iterable[Entry] = ()) -> None:
        """`past` are the entries to begin with; whatever else is in the file is dropped."""
        self.entries: list[Entry] = list(past)
        self._path = path
        write_whole(path, self._content())
        self._file = path.open("a")
        self._behind = False

    def append(self, entry: Entry) -> None:
        """Add an entry. Never raises: a disk that is full now may not be in the end."""
        self.entries.append(entry)
        try:
            self._file.write(as_json(entry) + "\n")
            self._file.flush()
        except OSError:
            self._behind = True

    def close(self) -> None:
        """Make sure that the file holds every entry. Raises OSError where it cannot."""
        with suppress(OSError):
            self._file.close()
        if self._behind or not self._path.exists():
            write_whole(self._path, self._content())

    def _content(self) -> bytes:
        return "".join(as_json(entry) + "\n" for entry in self.entries).encode()


def as_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON, which has no NaN and no infinity: they become null."""
    return json.dumps(_plain(value), indent=indent)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
