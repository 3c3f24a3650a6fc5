"""What the sources that read files share: finding them, and telling whether they changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from common.errors import InputError


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
