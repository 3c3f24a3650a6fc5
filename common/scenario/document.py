"""A YAML document as plain values, with the line of every key, and YAML's traps closed.

YAML 1.2's rules for bare words hold: only true and false are booleans, `1e-3` is a number, `010` is ten.
Keys given twice, Python tags and aliases that multiply beyond reason are mistakes, not surprises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from common.errors import InputError
from common.scenario.shipped import shipped

Place = tuple[str | int, ...]
"""Where a value stands in a document: keys and list positions from the top."""

_MOST_BYTES = 1 << 20
_MOST_VALUES = 100_000


@dataclass
class Document:
    """The values of a YAML file and the line on which each key stands."""

    name: str
    values: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int | None:
        """The line of `place`, or of the nearest key around it that the document has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's idea of which bare words are not text, and a limit on what it takes in."""

    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node. Raises TooManyValues before a document grows beyond reason."""
        self.nodes += 1
        if self.nodes > _MOST_VALUES:
            raise _TooManyValues
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class _TooManyValues(Exception):
    """A document has more values than a scenario could need."""


_BARE = [
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    # Python reads no number of more than 4,300 digits.
    ("int", r"[-+]?[0-9]{1,4000}", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+0123456789.")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
]
"""The tag of bare words, their pattern and what they begin with."""
_PLAIN = {*(tag for tag, _, _ in _BARE), "str", "seq", "map"}

_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _BARE:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(str(node.value)))


def read_document(path: Path) -> Document:
    """The document in the file `path`.

    Raises InputError for a file that cannot be read, is not UTF-8 or not YAML; the message names the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InputError(f"{path}: larger than {_MOST_BYTES >> 20} MiB, the most that a scenario may be")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text; byte {error.start} is not") from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected a scenario file, found a folder") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_neighbour(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """The document in `text`; `name` stands in messages. Raises InputError as `read_document` does."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = Document(name, None)
        if node is not None:
            _survey(node, (), document)
            document.values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = error.problem or error.context or "it cannot be read"
        raise InputError(f"{name}{line}: not valid YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        raise InputError(f"{name}: not valid YAML: character {error.character!r} is not allowed") from None
    except RecursionError:
        raise InputError(f"{name}: not valid YAML: nested too deeply") from None
    except _TooManyValues:
        raise InputError(f"{name}: more than {_MOST_VALUES} values, the most that a scenario may have") from None
    return document


def _survey(node: yaml.Node, place: Place, document: Document, seen: int = 0) -> int:
    """Note the line of every key below `node`; refuse repeated keys, tags and too many aliases."""
    seen += 1
    if seen > _MOST_VALUES:
        raise InputError(f"{document.name}: more than {_MOST_VALUES} values; do aliases refer to aliases?")
    line = node.start_mark.line + 1
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    if tag not in _PLAIN:
        raise InputError(f"{document.name}:{line}: the tag {node.tag!r} is not allowed; use plain values")
    if isinstance(node, yaml.ScalarNode) and tag != "str":
        patterns = [pattern for of, pattern, _ in _BARE if of == tag]
        if not any(re.fullmatch(pattern, node.value) for pattern in patterns):
            raise InputError(f"{document.name}:{line}: {node.value!r} does not fit the tag {node.tag!r}")
    if isinstance(node, yaml.MappingNode):
        keys: dict[str, int] = {}
        for key_node, value in node.value:
            at = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{document.name}:{at}: expected a word as key")
            if key_node.tag.endswith(":merge"):
                seen = _survey(value, place, document, seen)
                continue
            name = str(key_node.value)
            if name in keys:
                where = ".".join(map(str, (*place, name)))
                raise InputError(f"{document.name}:{at}: {where}: given twice, first on line {keys[name]}")
            keys[name] = at
            document.lines[(*place, name)] = at
            seen = _survey(value, (*place, name), document, seen)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            document.lines[(*place, position)] = item.start_mark.line + 1
            seen = _survey(item, (*place, position), document, seen)
    return seen


def _neighbour(path: Path) -> str:
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    near = get_close_matches(path.name, names, 1)
    if near:
        return f"; did you mean {near[0]}?"
    shipping = get_close_matches(path.name, shipped(), 1, 0.5)
    return f"; {shipping[0]} ships with Hothouse" if shipping else ""
