"""What the sources that read files share: finding them, and telling whether they changed."""

from __future__ import annotations

import csv
import glob
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from common.data.labels import natural
from common.errors import InputError

_LONGEST_VALUE = 1 << 30
"""Characters of a value in a CSV file; Python's own limit is 131,072, which a long text exceeds."""


def existing_file(path: str | Path, key: str) -> Path:
    """`path`, if it is a file; raises InputError naming the scenario's `key` and the nearest name there."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"expected a file, {path} is a folder", key)
    if not path.exists():
        raise InputError(f"no file {path}{_near(path)}", key)
    return path


def existing_folder(path: str | Path, key: str) -> Path:
    """`path`, if it is a folder; raises InputError naming the scenario's `key` and the nearest name there."""
    path = Path(path)
    if path.is_file():
        raise InputError(f"expected a folder, {path} is a file", key)
    if not path.exists():
        raise InputError(f"no folder {path}{_near(path)}", key)
    return path


def expand_pattern(pattern: str, key: str) -> list[Path]:
    """The files that a path names: itself, or all that fit a pattern with * in it, in natural order.

    Raises InputError naming the scenario's `key` where there is none.
    """
    if "*" not in pattern:
        return [existing_file(pattern, key)]
    # Path.glob takes no absolute pattern.
    found = sorted((Path(file) for file in glob.glob(pattern, recursive=True)), key=lambda file: natural(str(file)))  # noqa: PTH207
    found = [file for file in found if file.is_file()]
    if not found:
        raise InputError(f"no file fits {pattern}", key)
    return found


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Short names that tell files apart: their own without the suffix if that does, else with their folders.

    `a/data.csv` and `b/data.csv` are a and b. Raises InputError for a file that is given twice.
    """
    if twice := [path for path, times in Counter(path.resolve() for path in paths).items() if times > 1]:
        raise InputError(f"{twice[0]}: named twice", "data.source.path")
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(paths):
        return stems
    absolute = [path.absolute() for path in paths]
    parts = [list(path.with_suffix("").parts) for path in absolute]
    if len({tuple(each) for each in parts}) < len(parts):
        parts = [list(path.parts) for path in absolute]
    for end in (0, -1):
        # What all have in common says nothing.
        while len({each[end] for each in parts}) == 1 and min(map(len, parts)) > 1:
            for each in parts:
                del each[end]
    return ["/".join(each) for each in parts]


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file, whatever ends them; UTF-16 is known by its first bytes.

    Raises InputError where it is not UTF-8 or UTF-16, holds a NUL or is compressed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith(b"\x1f\x8b"):
        raise InputError(f"{path}: compressed by gzip; unpack it first (gunzip)")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: expected UTF-16 text, as its first bytes say ({error.reason})") from None
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise InputError(f"{path}:{number}: expected UTF-8 text") from None
        if "\0" in text:
            raise InputError(f"{path}:{number}: a NUL byte; is this a text file?")
        yield text + "\n"


def csv_rows(path: Path, lines: Iterable[str], separator: str, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The values in the lines of a file, and at which line each row ends; a blank line has none.

    Raises InputError where quotes are not in order, if this is `strict`.
    """
    csv.field_size_limit(_LONGEST_VALUE)
    reader = csv.reader(lines, delimiter=separator, strict=strict)
    try:
        for values in reader:
            yield reader.line_num, values
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV file: {error}") from None


def digest(paths: Iterable[Path]) -> str:
    """A hash of the files' contents and order."""
    total = hashlib.blake2b(digest_size=16)
    for path in paths:
        try:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return total.hexdigest()


def _near(path: Path) -> str:
    around = path.parent
    if not around.is_dir():
        return f"; {around} does not exist"
    near = get_close_matches(path.name, [entry.name for entry in around.iterdir()], 1)
    return f"; did you mean {near[0]}?" if near else ""
