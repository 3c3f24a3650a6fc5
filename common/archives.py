"""Reading archives of finished runs, trusting nothing in them."""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.run_files import parse_object

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model.safetensors"
REQUIRED = (MODEL, "scenario.yaml", "metrics.jsonl", "events.jsonl", "summary.json")
RECORDS = (
    "federation.json",
    "clients.jsonl",
    "workers.jsonl",
    "ladder.jsonl",
    "samples.jsonl",
    "final.json",
    "generated.json",
)
"""What the report is made of besides; not every run has all of it."""
_ONNX = ("model.onnx", "encoder.onnx", "decoder.onnx")
_OPTIONAL = (*RECORDS, "environment.json", "README.md", *_ONNX)
_OWN_PART = re.compile(r"uses/[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\.py")
"""The files with parts of its author's own that the scenario uses."""
_MOST_BYTES = {MANIFEST: 1 << 16, "scenario.yaml": 1 << 20, MODEL: 16 << 30, **dict.fromkeys(_ONNX, 16 << 30)}
"""What a file may unpack to; others, which are read as text, to `_MOST_TEXT` together."""
_MOST_TEXT = 1 << 28
_MOST_VALUES, _MOST_LINES = 4_000_000, 400_000
"""How many values and lines all JSON files may hold together: those of 100,000 rounds."""
_MOST_INFLATION = 20
"""Weights hardly shrink: a model that unpacks to this many times its size and more than `_FREE` is no trained one."""
_FREE = 1 << 26
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_archive(path: Path, only: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The checked contents of an archive, or only some of its files.

    Raises InputError for what is no archive of ours: damaged files, paths that lead elsewhere, links, unexpected
    files, sizes that are not what was promised or that no run has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, path)
            files = _manifest(archive, entries, path)
            wanted = [name for name in entries if name != MANIFEST and (not only or name in only)]
            contents = {name: _content(archive, entries[name], files[name], path) for name in wanted}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: damaged, or not a Hothouse archive ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    check_contents(contents, path)
    return contents


def check_contents(contents: dict[str, bytes], path: Path) -> None:
    """Raise InputError where files hold more than is read from an archive."""
    texts = [content for name, content in contents.items() if name.endswith((".json", ".jsonl"))]
    for most, what, marks in ((_MOST_LINES, "lines", b"\n"), (_MOST_VALUES, "values", b",[{")):
        if sum(content.count(mark) for content in texts for mark in marks) > most:
            raise InputError(f"{path}: its JSON files hold more than {most:,} {what}, the most that an archive may")


def _entries(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The archive's entries by name; all of them plain files that belong there, once each, of reasonable size."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name, size = entry.filename, entry.file_size
        if name not in (MANIFEST, *REQUIRED, *_OPTIONAL) and not _OWN_PART.fullmatch(name):
            raise InputError(f"{path}: {name!r} does not belong in a Hothouse archive")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise InputError(f"{path}: {name} is not a plain file")
        if name in entries:
            raise InputError(f"{path}: {name} is given twice")
        if entry.compress_type not in _METHODS:
            raise InputError(f"{path}: {name} is compressed in another way than Hothouse does; expected deflate")
        inflated = size > _FREE and size > _MOST_INFLATION * entry.compress_size
        if size > _MOST_BYTES.get(name, _MOST_TEXT) or (name in (MODEL, _ONNX) and inflated):
            raise InputError(f"{path}: {name} claims to unpack to {size} bytes")
        entries[name] = entry
    missing = [name for name in (MANIFEST, *REQUIRED) if name not in entries]
    if missing:
        raise InputError(f"{path}: not a Hothouse archive: it has no {missing[0]}")
    if sum(entry.file_size for name, entry in entries.items() if name not in _MOST_BYTES) > _MOST_TEXT:
        raise InputError(f"{path}: it claims to unpack to more than {_MOST_TEXT >> 20} MiB of text")
    return entries


def _manifest(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], path: Path) -> dict[str, Any]:
    """What the manifest promises of each file: its size and checksum."""
    manifest = parse_object(_read(archive, entries[MANIFEST]), f"{path}: {MANIFEST}")
    form, files = manifest.get("format"), manifest.get("files")
    if form != FORMAT:
        raise InputError(f"{path}: format {form}; this version of Hothouse reads format {FORMAT}")
    if not isinstance(files, dict) or set(files) != set(entries) - {MANIFEST}:
        raise InputError(f"{path}: its {MANIFEST} lists other files than it has")
    if not all(isinstance(one, dict) and {"bytes", "blake2b"} <= one.keys() for one in files.values()):
        raise InputError(f"{path}: its {MANIFEST} has no size and checksum for each file")
    return files


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, promised: dict[str, Any], path: Path) -> bytes:
    if entry.file_size != promised["bytes"]:
        raise InputError(f"{path}: {entry.filename} has {entry.file_size} bytes, {promised['bytes']} were promised")
    content = _read(archive, entry)
    if len(content) != promised["bytes"] or digest(content) != promised["blake2b"]:
        raise InputError(f"{path}: {entry.filename} is damaged: its checksum does not match")
    return content


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        # One byte more than promised tells a longer file.
        return file.read(entry.file_size + 1)


def digest(content: bytes) -> str:
    """The checksum that a manifest lists."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
