"""The files of a run's folder, read as if a stranger had written them: plain files, of limited size, in the right form.

Runs are copied, archived and sent around, disks fill up and processes are killed while they write.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from common.errors import InputError

MOST_BYTES = {".yaml": 2 << 20, ".json": 64 << 20, ".jsonl": 1 << 30}
"""The largest file that is read, by suffix. A run of 10⁵ rounds writes some 10⁸ bytes of metrics."""

LOGS = "logs"
"""The folder in a run's folder that is there before the run has begun."""

Entry = dict[str, Any]
"""A line of a file of JSON lines."""

Metrics = dict[str, Any]
"""A round's line in metrics.jsonl."""


def read_bytes(path: Path) -> bytes:
    """The content of a plain file of a run's folder.

    Raises InputError for what is no plain file or is too large, FileNotFoundError where there is none.
    """
    most = MOST_BYTES[path.suffix]
    try:
        # Without O_NONBLOCK opening a named pipe would wait for somebody to write to it.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputError(f"{path}: expected a plain file")
            content = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > most:
        raise InputError(f"{path}: larger than {most >> 20} MiB, the most that is read")
    return content


def check_plain(path: Path) -> None:
    """Raise InputError for what is there but no plain file: reading a pipe or a device may never end."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: expected a plain file")


def is_taken(folder: Path) -> bool:
    """Whether a new run would find something of others in a folder: anything but the logs of a run that never began."""
    if not folder.exists():
        return False
    return not folder.is_dir() or any(entry.name != LOGS for entry in folder.iterdir())


def read_text(path: Path) -> str:
    """The same as text. Raises InputError also where it is not UTF-8."""
    return _text(read_bytes(path), str(path))


def read_object(path: Path) -> Entry:
    """The JSON object in a file; empty where there is no file. Raises InputError for anything else in it."""
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return {}
    return parse_object(content, str(path))


def read_lines(path: Path) -> list[Entry]:
    """The JSON objects in a file, one to a line; none where there is no file.

    A last line without its end was being written when the run was killed, and is left out. Raises InputError for
    anything else that is no object, and for a `round` that is no whole number.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return []
    return parse_lines(content, str(path))


def read_metrics(path: Path) -> list[Entry]:
    """The lines of a metrics.jsonl. Raises InputError as `read_lines` does, and for anything but numbers and null."""
    entries = read_lines(path)
    for place, entry in enumerate(entries, 1):
        for name, value in entry.items():
            if value is not None and type(value) not in (int, float):
                raise InputError(f"{path}:{place}: {name}: expected a number, found {value!r}")
        if not {"round", "seconds"} <= entry.keys():
            raise InputError(f"{path}:{place}: expected the keys round and seconds")
    return entries


def parse_object(content: bytes, name: str) -> Entry:
    """The JSON object that `content` is; `name` stands in messages. Raises InputError."""
    try:
        found = _plain(_text(content, name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: cannot be read as JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{name}: expected a JSON object, found {type(found).__name__}")
    return found


def parse_lines(content: bytes, name: str) -> list[Entry]:
    """The JSON objects in the lines of `content`, as `read_lines` reads them."""
    *whole, last = content.split(b"\n")
    entries = [_entry(line, f"{name}:{number}") for number, line in enumerate(whole, 1)]
    if last:
        try:
            entries.append(_entry(last, name))
        except InputError:
            return entries
    return entries


def _entry(line: bytes, where: str) -> Entry:
    entry = parse_object(line, where)
    if type(entry.get("round", 0)) is not int:
        raise InputError(f"{where}: round: expected a whole number, found {entry['round']!r}")
    return entry


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: expected UTF-8 text; byte {error.start} is not") from None


def _plain(text: str) -> Any:
    """What JSON says. Raises ValueError also for half a character, which no file and no page can hold."""
    found = json.loads(text)
    if "\\ud" in text or "\\uD" in text:
        json.dumps(found, ensure_ascii=False).encode()
    return found
