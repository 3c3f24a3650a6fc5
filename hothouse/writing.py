"""Writing a file that the user named: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from common.errors import InputError
from common.whole_files import write_whole


def write_file(path: Path, content: bytes) -> Path:
    """Write the file; raises InputError, and leaves what was there, where that cannot be done."""
    try:
        if path.exists() and not path.is_file():
            # A device or a pipe is written to and not replaced.
            with path.open("wb") as file:
                file.write(content)
        else:
            write_whole(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    return path
