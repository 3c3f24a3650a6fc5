"""A run's own place in a folder that runs share: two runs whose folders have the same name get two places."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from itertools import count
from pathlib import Path

from filelock import FileLock

from common.whole_files import write_whole

_NOTE = "tracking.json"
"""In a run's folder: who it is, and where that folder was then."""
_OWNERS = ".hothouse-owners.json"
"""In a shared folder: whose each place is."""


def place_of(run: Path, shared: Path, suffix: str = "") -> Path:
    """The place of the run in folder `run` below the folder `shared`: named as the run's folder, numbered if taken.

    A run keeps its place when it is resumed, and when its folder moves. Raises OSError where a folder cannot be
    written.
    """
    shared.mkdir(parents=True, exist_ok=True)
    with FileLock(shared / f"{_OWNERS}.lock"):
        identity, owners = _identity(run), _read(shared / _OWNERS)
        name = next((name for name, owner in owners.items() if owner == identity and name.endswith(suffix)), None)
        if name is None:
            stems = (run.name if number == 1 else f"{run.name}-{number}" for number in count(1))
            names = (f"{stem}{suffix}" for stem in stems)
            name = next(name for name in names if name not in owners and not (shared / name).exists())
            write_whole(shared / _OWNERS, json.dumps(owners | {name: identity}, indent=1).encode())
    return shared / name


def _identity(run: Path) -> str:
    """A name that no other run has; a copy of a run's folder is another run."""
    note, here = _read(run / _NOTE), str(run.resolve())
    was = note.get("folder", here)
    copied = was != here and _read(Path(was) / _NOTE).get("run") == note.get("run")
    if "run" not in note or copied:
        note = {"run": secrets.token_hex(8)}
    if note.get("folder") != here:
        write_whole(run / _NOTE, json.dumps({**note, "folder": here}).encode())
    return note["run"]


def _read(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(name): str(value) for name, value in found.items()}
    return {}
