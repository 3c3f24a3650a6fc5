"""Short names for swept keys and their values, which name a run's folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_LONGEST = 100
"""Characters of a folder's name."""
_LONG = 40
"""Characters of a value's name, beyond which a part is called by its own name and a few digits."""
_VAGUE = ("name", "kind", "scheme")


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """The keys by as few of their last words as tell them apart: `lr` for `training.optimizer.lr`."""
    keys = list(keys)
    short = {}
    for key in keys:
        words = key.split(".")
        least = 2 if words[-1] in _VAGUE else 1
        tails = [".".join(words[-count:]) for count in range(least, len(words) + 1)]
        short[key] = next((tail for tail in tails if _ends(tail, keys) == 1), key)
    return short


def distinct_values(values: Sequence[Any]) -> dict[str, Any]:
    """The values by short names that tell them apart."""
    plain = [_plain(value_name(value)) for value in values]
    return {
        name if plain.count(name) == 1 else f"{name}~{_digest(value)}": value
        for name, value in zip(plain, values, strict=True)
    }


def value_name(value: Any) -> str:
    """A value as people would say it: `64x32` for layers, a file's name for a path, `fedprox mu=0.1` for a part.

    What that leaves out becomes a few digits, so that a value's name does not depend on the other values.
    """
    if isinstance(value, Mapping):
        first, *others = value.items() or [("", "none")]
        name = " ".join([value_name(first[1]), *(f"{key}={value_name(other)}" for key, other in others)])
        return name if len(name) <= _LONG else f"{value_name(first[1])}~{_digest(value)}"
    if isinstance(value, list | tuple):
        return "x".join(value_name(item) for item in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, float) else str(value)
    return f"{Path(text).name}~{_digest(text)}" if Path(text).is_absolute() else text


def folder_name(values: Mapping[str, str]) -> str:
    """A folder's name from names of keys and of their values: `lr=0.1,seed=7`."""
    name = ",".join(f"{key}={_plain(value)}" for key, value in values.items())
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}~{_digest(name, 8)}"


def _plain(text: str) -> str:
    """The text in characters that every file system and shell takes as they are."""
    return re.sub(r"[^A-Za-z0-9._+~-]+", "_", text)


def _ends(tail: str, keys: list[str]) -> int:
    return sum(f".{key}".endswith(f".{tail}") for key in keys)


def _digest(value: Any, size: int = 4) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode()).hexdigest()[:size]
