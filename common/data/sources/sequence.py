"""Documents as sequences of tokens, of which a model learns to tell the next: plays, tunes, messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from common.data.labels import encode_names
from common.data.sources.files import digest, distinct_names, expand_pattern, lines_of
from common.data.table import Column, Table
from common.data.tokens import encode_tokens, header_values, tokenize
from common.errors import InputError
from common.scenario.base import key, refuse
from common.scenario.sources import Files, SourcePart

_PATH = "data.source.path"
_SUFFIXES = (".txt", ".abc", ".md")


class SequenceSource(SourcePart, name="sequence", runs="common.data.sources.sequence"):
    """Documents in text files, of which a model such as next_token learns which token comes next."""

    path: Files = key(
        "The file; or several, as a list, a pattern with * in it or a folder with .txt, .abc or .md files. Without "
        "`clients` each file is a document and a natural client (partition: natural)."
    )
    unit: Literal["characters", "bytes", "words"] = key(
        "What a token is. Words keep the space before them, and signs count as words.", "characters"
    )
    clients: str | None = key(
        "A regular expression (Python's, ^ and $ at lines) that says where documents begin. With a group, its text is "
        "the natural client of the document that follows, up to the next match: '\\n\\n([^:\\n]+):\\n' for speakers "
        "of a play. Without one, documents begin with the matches: '^X:' for tunes.",
        None,
    )
    headers: tuple[str, ...] = key(
        "Names of lines such as M:6/8 with values that hold from there on; the network is told those in force.",
        (),
        strict=False,
    )
    vocabulary: int = key(
        "How many tokens are told apart: the most frequent ones of the clients' training documents.",
        20_000,
        unit="tokens",
        ge=2,
        le=1_000_000,
    )
    min_count: int = key("How often a token must occur there.", 1, unit="times", ge=1)

    @model_validator(mode="after")
    def _readable(self) -> SequenceSource:
        if self.clients is not None:
            try:
                groups = re.compile(self.clients).groups
            except re.error as error:
                raise refuse("clients", f"a regular expression ({error})") from None
            if groups > 1:
                raise refuse("clients", f"at most one group, the client's name, not {groups}; write (?:…) for others")
        for name in self.headers:
            if not name or ":" in name or "\n" in name:
                raise refuse("headers", f"names of lines, such as M for lines M:6/8; not {name!r}")
        if len(set(self.headers)) < len(self.headers):
            raise refuse("headers", "each name once")
        return self


class _Document(NamedTuple):
    client: str
    text: str


seeded = False


def fingerprint(spec: SequenceSource) -> str:
    """A hash of the files, and their names where they are clients."""
    files = _files(spec)
    return f"{digest(files)} {distinct_names(files)}"


def read(spec: SequenceSource, seed: int) -> Table:
    """All documents, a row for each of their tokens: the label is the token, x its place and the headers in force.

    The clients in `groups` are those of documents.
    """
    documents, hints = _documents(spec)
    texts = [document.text for document in documents]
    y, names, starts = encode_tokens(texts, spec.unit)
    lengths = np.diff(starts, append=len(y))
    place = np.arange(len(y)) - np.repeat(starts, lengths)
    columns, values = [Column("place")], [place]
    for name in spec.headers:
        column, codes = _in_force(name, texts, spec.unit)
        columns.append(column)
        values.append(codes)
    groups = None
    group_names: list[str] = []
    if spec.clients is None or re.compile(spec.clients).groups:
        groups, group_names = encode_names([document.client for document in documents])
    return Table(
        np.stack(values, axis=1).astype(np.int32),
        y,
        "classification",
        list(names),
        row_shape=(len(columns),),
        columns=columns,
        groups=groups,
        group_names=group_names,
        documents=starts,
        hints=hints,
    )


def _files(spec: SequenceSource) -> list[Path]:
    paths = [spec.path] if isinstance(spec.path, str) else list(spec.path)
    found: list[Path] = []
    for path in paths:
        if Path(path).is_dir():
            inside = sorted(file for file in Path(path).rglob("*") if file.suffix.lower() in _SUFFIXES)
            if not inside:
                raise InputError(f"{path}: expected files {', '.join(_SUFFIXES)} in the folder", _PATH)
            found += inside
        else:
            found += expand_pattern(path, _PATH)
    return found


def _documents(spec: SequenceSource) -> tuple[list[_Document], list[str]]:
    files = _files(spec)
    found: list[_Document] = []
    hints: list[str] = []
    for file, name in zip(files, distinct_names(files), strict=True):
        text = _text(file, spec.unit)
        cut, before = ([_Document(name, text)], "") if spec.clients is None else _cut(text, spec.clients, file, spec)
        if before.strip():
            hints.append(f"{file}: {len(before)} characters before the first match of data.source.clients left out")
        filled = [document for document in cut if document.text.strip()]
        if len(filled) < len(cut):
            hints.append(f"{file}: {len(cut) - len(filled)} empty documents left out")
        found += filled
    if not found:
        raise InputError(f"{files[0]}: no text in it", _PATH)
    return found, hints


def _cut(text: str, pattern: str, file: Path, spec: SequenceSource) -> tuple[list[_Document], str]:
    """The documents of a text, and what stands before the first."""
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    if not matches:
        raise InputError(f"{file}: nothing in it matches {pattern!r}", "data.source.clients")
    named = bool(matches[0].re.groups)
    found = []
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        start, end = match.end() if named else match.start(), following.start() if following else len(text)
        if named and match[1] is None:
            line = text.count("\n", 0, match.start()) + 1
            raise InputError(f"{file}:{line}: a match without the client's name in its group", "data.source.clients")
        client = str(match[1]).strip() if named else ""
        found.append(_Document(_shown(client, spec.unit), text[start:end]))
    return found, text[: matches[0].start()]


def _text(file: Path, unit: str) -> str:
    """A file's text; of bytes, the characters of the same numbers."""
    if unit != "bytes":
        return "".join(lines_of(file)).removesuffix("\n")
    try:
        return file.read_bytes().decode("latin-1")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None


def _shown(name: str, unit: str) -> str:
    return name.encode("latin-1").decode(errors="replace") if unit == "bytes" else name


def _in_force(name: str, texts: list[str], unit: str) -> tuple[Column, NDArray[np.int64]]:
    """The value of a header line that holds at each token, with the one that ends a document."""
    places: dict[str, int] = {"": 0}
    codes: list[int] = []
    for text in texts:
        tokens = text if unit != "words" else tokenize(text, unit)
        codes += [places.setdefault(value, len(places)) for value in header_values(name, text, tokens, unit)]
    return Column(name, tuple(places)), np.array(codes, dtype=np.int64)
