"""Checksums of a folder's files: whether all of them are what was written."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

SUMS = "sums.json"


def write_sums(folder: Path) -> None:
    """Write sums.json, with the size and the CRC-32 of every file in the folder."""
    sums = {path.name: _sum(path) for path in sorted(folder.iterdir())}
    (folder / SUMS).write_text(json.dumps(sums))


def damaged(folder: Path) -> str | None:
    """The name of a file that is missing or not what was written; sums.json where that cannot be read; else None."""
    try:
        sums: dict[str, list[int]] = json.loads((folder / SUMS).read_text())
        names = list(sums)
    except (OSError, ValueError, TypeError):
        return SUMS
    for name in names:
        try:
            if Path(name).name != name or _sum(folder / name) != sums[name]:
                return name
        except OSError:
            return name
    return None if names else SUMS


def _sum(path: Path) -> list[int]:
    total = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            total = zlib.crc32(piece, total)
    return [path.stat().st_size, total]
