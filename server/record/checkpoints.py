"""Checkpoints: a run's state after a round, whole or not there, checked when it is read.

A checkpoint is one file, and what clients keep, which may be more than fits into memory, lies in further ones beside
it: parts, named by the round and their own checksum, so that the newest checkpoint and the best one can share them.
The parts are there before the file that names them, and go after it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.whole_files import write_whole
from server.exchange.client_states import ClientState
from server.record.state import RunState

_FIELDS = ("parameters", "buffers", "strategy", "selection")
BEST = "best.safetensors"
"""The name of the checkpoint of the best round so far."""
_PLACES = "places"
_PART = re.compile(r"clients-\d{6,}-[0-9a-f]{32}\.safetensors")

About = dict[str, Any]
"""What a checkpoint belongs to: the scenario, the data, the versions of the software."""


class DamagedCheckpoint(Exception):
    """A checkpoint that cannot be trusted."""


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that was read."""

    path: Path
    state: RunState
    about: About
    parts: list[Path]

    def client_states(self) -> Iterator[ClientState]:
        """What clients kept, part by part."""
        for part in self.parts:
            states = load_file(part)
            yield ClientState(states.pop(_PLACES), states)


@dataclass(frozen=True)
class _Written:
    """What clients kept after a round, as it was written."""

    round: int
    parts: list[str]
    versions: Indices
    """As in the state, without the clients that could not be asked."""


class Checkpoints:
    """The checkpoints of one run, in its folder."""

    def __init__(self, folder: Path, keep: int, about: About) -> None:
        self.folder, self._keep, self._about = folder, keep, dict(about)
        self._written: _Written | None = None

    def belong_to(self, **more: str) -> None:
        """Further things that the checkpoints belong to."""
        self._about |= more

    def save(self, state: RunState, kept: Iterable[ClientState] = (), name: str = "") -> int:
        """Save the state after a round together with what clients `kept`, and drop what need not be kept any longer.

        `name` is `BEST` for the best round so far, else the round's own. Returns the bytes written.
        """
        written, size = self._written, 0
        try:
            if written is None or written.round != state.round:
                written, size = self._write_parts(state, kept)
            content = _encode(state, written, self._about)
            write_whole(self.folder / (name or name_of(state.round)), content)
            self._written = written
            for old in _newest_first(self.folder)[self._keep :]:
                old.unlink(missing_ok=True)
        finally:
            self._drop_parts()
        return size + len(content)

    def _write_parts(self, state: RunState, kept: Iterable[ClientState]) -> tuple[_Written, int]:
        names, size, versions = [], 0, np.zeros_like(state.versions)
        for some in kept:
            content = save({_PLACES: some.places} | {name: _contiguous(rows) for name, rows in some.states.items()})
            digest = hashlib.blake2b(content, digest_size=16).hexdigest()
            names.append(f"clients-{state.round:06d}-{digest}.safetensors")
            write_whole(self.folder / names[-1], content)
            versions[some.places] = state.versions[some.places]
            size += len(content)
        return _Written(state.round, names, versions), size

    def _drop_parts(self) -> None:
        """Remove the parts that no checkpoint names."""
        parts = list(self.folder.glob("clients-*.safetensors"))
        named: set[str] = set()
        for path in [*_newest_first(self.folder), self.folder / BEST] if parts else []:
            try:
                envelope, _ = _read(path, arrays=False)
                named |= set(_read_envelope(envelope)["clients"])
            except DamagedCheckpoint:
                continue
        for part in parts:
            if part.name not in named:
                part.unlink(missing_ok=True)


def name_of(number: int) -> str:
    """The name of the checkpoint of a round."""
    return f"round-{number:06d}.safetensors"


def latest(folder: Path, damaged: Callable[[Path, str], None]) -> LoadedCheckpoint | None:
    """The newest checkpoint in `folder` that is sound; `damaged` is told of every newer one that is not."""
    for path in _newest_first(folder):
        try:
            return _decode(path)
        except DamagedCheckpoint as reason:
            damaged(path, str(reason))
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("round-*.safetensors"), reverse=True)


def _encode(state: RunState, written: _Written, about: About) -> bytes:
    tensors = {"versions": written.versions}
    for field in _FIELDS:
        tensors |= {f"{field}/{name}": _contiguous(np.asarray(array)) for name, array in getattr(state, field).items()}
    limit = {"widest": state.widest} if state.widest else {}
    told = json.dumps(
        {"round": state.round, "metrics": state.metrics, "about": about, "clients": written.parts} | limit,
        sort_keys=True,
    )
    return save(tensors, metadata={"hothouse": json.dumps({"told": told, "digest": _digest(tensors, told)})})


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """The array in one piece, as safetensors writes it, with its shape even where that has no dimensions."""
    return np.ascontiguousarray(array).reshape(array.shape)


def _decode(path: Path) -> LoadedCheckpoint:
    envelope, tensors = _read(path)
    if _digest(tensors, envelope["told"]) != envelope["digest"]:
        raise DamagedCheckpoint("its checksum does not match")
    told = _read_envelope(envelope)
    arrays = {f: {n[len(f) + 1 :]: a for n, a in tensors.items() if n.startswith(f"{f}/")} for f in _FIELDS}
    if "versions" not in tensors:
        raise DamagedCheckpoint("it has no versions of what clients keep")
    state = RunState(
        told["round"], versions=tensors["versions"], metrics=told["metrics"], widest=told["widest"], **arrays
    )
    parts = [path.parent / name for name in told["clients"]]
    for part in parts:
        _check_part(part)
    return LoadedCheckpoint(path, state, told["about"], parts)


def _read_envelope(envelope: dict[str, str]) -> dict[str, Any]:
    """What a checkpoint says besides its arrays. Raises Damaged where that is not what is written."""
    try:
        told: dict[str, Any] = json.loads(envelope["told"])
        told.setdefault("widest", 0)
        kinds = {"round": int, "widest": int, "metrics": dict, "about": dict, "clients": list}
        if any(type(told[name]) is not kind for name, kind in kinds.items()):
            raise ValueError("a value of another type than is written")
        # A name must never become a path elsewhere.
        if not all(isinstance(name, str) and _PART.fullmatch(name) for name in told["clients"]):
            raise ValueError("parts with other names than are written")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpoint(f"it cannot be read ({error})") from None
    return told


def _read(path: Path, arrays: bool = True) -> tuple[dict[str, str], NamedArrays]:
    """What a checkpoint says, and its `arrays`. Raises Damaged where that cannot be read."""
    try:
        if not path.is_file():
            raise DamagedCheckpoint("it is no plain file")
        with safe_open(str(path), framework="numpy") as file:
            envelope = json.loads(file.metadata()["hothouse"])
            tensors = {name: file.get_tensor(name) for name in file.keys() if arrays}  # noqa: SIM118 - not a dict
        return {"told": str(envelope["told"]), "digest": str(envelope["digest"])}, tensors
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpoint(f"it cannot be read ({error})") from None


def _check_part(path: Path) -> None:
    """Raises Damaged where what clients kept is not what was written."""
    try:
        if not path.is_file():
            raise DamagedCheckpoint(f"{path.name}, which belongs to it, is no plain file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise DamagedCheckpoint(f"{path.name}, which belongs to it, cannot be read ({error.strerror})") from None
    if path.stem.rpartition("-")[2] != digest:
        raise DamagedCheckpoint(f"the checksum of {path.name}, which belongs to it, does not match")


def _digest(tensors: NamedArrays, told: str) -> str:
    total = hashlib.blake2b(told.encode(), digest_size=16)
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
