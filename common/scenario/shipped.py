"""The scenarios that ship with the packages: found by name wherever a scenario's file is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from common.errors import InputError

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
"""Beside the packages, in the repository as where they are installed."""


def shipped() -> dict[str, Path]:
    """The files by their names, papers' as papers/NAME."""
    files = sorted(FOLDER.rglob("*.yaml"))
    return {str(file.relative_to(FOLDER).with_suffix("")): file for file in files}


def find_scenario(source: str | Path) -> Path:
    """The scenario's file: the path itself, or the scenario of that name that ships, where there is no such file."""
    path = Path(source)
    return path if path.exists() or path.suffix else shipped().get(str(source), path)


def shipped_scenario(name: str) -> Path:
    """The file of a scenario that ships. Raises InputError with the nearest name for any other."""
    known = shipped()
    if name not in known:
        near = get_close_matches(name, known, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise InputError(f"no scenario {name!r} ships with Hothouse; {advice}")
    return known[name]
