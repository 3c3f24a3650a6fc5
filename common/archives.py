"""Reading archives of finished runs, trusting nothing in them."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

from common.errors import InputError

FORMAT = 1
MANIFEST = "manifest.json"
REQUIRED = ("model.safetensors", "scenario.yaml", "metrics.jsonl", "events.jsonl", "summary.json")
RECORDS = ("federation.json", "clients.jsonl", "workers.jsonl", "ladder.jsonl", "final.json")
"""What the report is made of besides; not every run has all of it."""
_OPTIONAL = (*RECORDS, "environment.json", "README.md", "model.onnx")
_MOST_BYTES = 16 << 30
"""No archive unpacks to more."""
_MOST_INFLATION = 2000
"""Deflate cannot do more than about 1,000 to 1; a larger claim is a lie."""


def read_archive(path: Path, only: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The checked contents of an archive, or only some of its files.

    Raises InputError for what is no archive of ours: damaged files, paths that lead elsewhere, links, unexpected
    files, sizes that are not what was promised.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, path)
            files = _manifest(archive, entries, path)["files"]
            wanted = [name for name in entries if name != MANIFEST and (not only or name in only)]
            return {name: _content(archive, entries[name], files[name], path) for name in wanted}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: damaged, or no archive of Hothouse's ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _entries(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The archive's entries by name; all of them plain files that belong there, once each."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename
        if name not in (MANIFEST, *REQUIRED, *_OPTIONAL):
            raise InputError(f"{path}: {name!r} does not belong into an archive of Hothouse's")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise InputError(f"{path}: {name} is not a plain file")
        if name in entries:
            raise InputError(f"{path}: {name} is there twice")
        if entry.file_size > _MOST_INFLATION * max(entry.compress_size, 1):
            raise InputError(f"{path}: {name} claims to unpack to {entry.file_size} bytes")
        entries[name] = entry
    missing = [name for name in (MANIFEST, *REQUIRED) if name not in entries]
    if missing:
        raise InputError(f"{path}: no archive of Hothouse's, it has no {missing[0]}")
    if sum(entry.file_size for entry in entries.values()) > _MOST_BYTES:
        raise InputError(f"{path}: it claims to unpack to more than {_MOST_BYTES >> 30} GiB")
    return entries


def _manifest(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(archive.read(entries[MANIFEST]))
        form, files = manifest["format"], manifest["files"]
        listed = {name: (int(one["bytes"]), str(one["blake2b"])) for name, one in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: its {MANIFEST} cannot be read") from None
    if form != FORMAT:
        raise InputError(f"{path}: format {form}; this version of Hothouse reads format {FORMAT}")
    if set(listed) != set(entries) - {MANIFEST}:
        raise InputError(f"{path}: its {MANIFEST} lists other files than it has")
    return manifest


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, promised: dict[str, Any], path: Path) -> bytes:
    if entry.file_size != promised["bytes"]:
        raise InputError(f"{path}: {entry.filename} has {entry.file_size} bytes, {promised['bytes']} were promised")
    with archive.open(entry) as file:
        # One byte more than promised tells a file that goes on.
        content = file.read(entry.file_size + 1)
    if len(content) != promised["bytes"] or digest(content) != promised["blake2b"]:
        raise InputError(f"{path}: {entry.filename} is damaged: its checksum does not match")
    return content


def digest(content: bytes) -> str:
    """The checksum that a manifest lists."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
