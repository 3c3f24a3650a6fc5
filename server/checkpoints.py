"""Checkpoints: a run's state in one file each, whole or not there, checked when it is read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from common.arrays import Named
from server.state import RunState

_PARTS = ("parameters", "strategy", "clients")
_BEST = "best.safetensors"

About = dict[str, Any]
"""What a checkpoint belongs to: the scenario, the data, the versions of the software."""


class Damaged(Exception):
    """A checkpoint that cannot be trusted."""


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was read."""

    path: Path
    state: RunState
    about: About


class Checkpoints:
    """The checkpoints of one run, in its folder."""

    def __init__(self, folder: Path, keep: int, about: About) -> None:
        self._folder, self._keep, self._about = folder, keep, about

    def save(self, state: RunState) -> Path:
        """Save the state after a round and drop the checkpoints that are no longer kept."""
        path = self._folder / f"round-{state.round:06d}.safetensors"
        write_whole(path, _encode(state, self._about))
        for old in _newest_first(self._folder)[self._keep :]:
            old.unlink(missing_ok=True)
        return path

    def save_best(self, state: RunState) -> Path:
        """Save the state after the best round so far."""
        write_whole(self._folder / _BEST, _encode(state, self._about))
        return self._folder / _BEST


def latest(folder: Path, damaged: Callable[[Path, str], None]) -> Loaded | None:
    """The newest checkpoint in `folder` that is sound; `damaged` is told of every newer one that is not."""
    for path in _newest_first(folder):
        try:
            return _decode(path)
        except Damaged as reason:
            damaged(path, str(reason))
    return None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or as it was before, whenever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("round-*.safetensors"), reverse=True)


def _encode(state: RunState, about: About) -> bytes:
    tensors = {"versions": state.versions}
    for part in _PARTS:
        tensors |= {f"{part}/{name}": np.asarray(array) for name, array in getattr(state, part).items()}
    # safetensors keeps no order of its own; shapes of zero dimensions and empty arrays pass unharmed.
    tensors = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in tensors.items()}
    told = json.dumps({"round": state.round, "metrics": state.metrics, "about": about}, sort_keys=True)
    return save(tensors, metadata={"hothouse": json.dumps({"told": told, "digest": _digest(tensors, told)})})


def _decode(path: Path) -> Loaded:
    try:
        with safe_open(str(path), framework="numpy") as file:
            envelope = json.loads(file.metadata()["hothouse"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        told = json.loads(envelope["told"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"it cannot be read ({error})") from None
    if _digest(tensors, envelope["told"]) != envelope["digest"]:
        raise Damaged("its checksum does not match")
    parts = {part: {n[len(part) + 1 :]: a for n, a in tensors.items() if n.startswith(f"{part}/")} for part in _PARTS}
    state = RunState(told["round"], versions=tensors["versions"], metrics=told["metrics"], **parts)
    return Loaded(path, state, told["about"])


def _digest(tensors: Named, told: str) -> str:
    total = hashlib.blake2b(told.encode(), digest_size=16)
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
