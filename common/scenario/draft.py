"""A scenario as it was written: its values, where each of them stands, and what becomes of it with some changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from common.errors import InputError
from common.scenario.base import FromHere
from common.scenario.document import Document, Place, parse_document, read_document
from common.scenario.mistakes import Mistake, keys_of, mistakes, origin, parts_of, tag_of, tags_of
from common.scenario.notebook_source import source_of
from common.scenario.scenario import Scenario
from common.scenario.shipped import find_scenario
from common.scenario.uses import LoadedUses, read_uses


@dataclass(frozen=True)
class DraftChange:
    """A value for a key, and where it came from, for messages."""

    value: Any
    origin: str


_ADD = "uses+="

DraftChanges = Mapping[str, DraftChange]
"""Changes by dotted key."""


@dataclass(frozen=True)
class Draft:
    """The values of a scenario before they are checked."""

    document: Document
    folder: Path
    """What paths in it are relative to."""
    options: dict[Place, str] = field(default_factory=dict)
    """Where values came from that are not the document's own."""
    uses: LoadedUses = field(default_factory=LoadedUses)
    """What the scenario uses beside the built-in parts."""

    def scenario(self) -> Scenario:
        """The scenario. Raises InputError: one message with a line for each mistake."""
        found = self.check()
        if isinstance(found, Scenario):
            return found
        raise InputError("\n".join(mistake.text for mistake in found))

    def check(self) -> Scenario | list[Mistake]:
        """The scenario, or every mistake in it."""
        with self.uses.active():
            try:
                scenario = Scenario.model_validate(self.document.values, context={"folder": self.folder})
            except ValidationError as error:
                return mistakes(error, self.document, self.options)
            except RecursionError:
                raise InputError(f"{self.document.name}: nested too deeply") from None
        return scenario.model_copy(update={"uses": self.uses.uses}) if self.uses.uses else scenario

    def changed(self, changes: DraftChanges, without: Sequence[str] = ()) -> Draft:
        """The draft with other values at some keys, and without some of the keys at its top.

        A change below another one is made after it. Raises InputError where there is no such place.
        """
        values = {name: copied(value) for name, value in self.document.values.items() if name not in without}
        document = Document(self.document.name, values, self.document.lines)
        options = dict(self.options)
        with self.uses.active():
            for name in sorted(changes, key=lambda name: name.count(".")):
                change = changes[name]
                _put(values, name.split("."), change.value, change.origin, options)
        return Draft(document, self.folder, options, self.uses)

    def located(self, error: InputError) -> InputError:
        """The error with the file and line, or the option, that its key's value came from."""
        if not error.key:
            return error
        place = tuple(int(part) if part.isdigit() else part for part in error.key.split("."))
        where = origin(place, self.document, self.options)
        if where is None and self.document.lines:
            line = self.document.line(place)
            where = f"{self.document.name}:{line}" if line else self.document.name
        return InputError(f"{where}: {error}") if where else error


def uses(files: Sequence[str | Path | type]) -> list[str]:
    """Files, installed modules, or classes of a notebook, as the overrides that add them to what a scenario uses.

    Raises InputError where the source of a class cannot be used.
    """
    return [f"{_ADD}{source_of(file) if isinstance(file, type) else file}" for file in files]


def read_draft(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Draft:
    """The draft in a YAML file (or in a mapping of the same form), changed by `KEY=VALUE` overrides.

    The override `uses+=FILE`, or `uses+=FILE@SHA256`, adds a file to what the scenario uses. What it uses is loaded,
    since other overrides may name parts of it.

    Raises InputError for what is not YAML, or no keys and values, for files that cannot be loaded, and for overrides
    that fit nowhere.
    """
    if isinstance(source, Mapping):
        document, folder = Document("scenario", copied(source)), Path.cwd()
    else:
        path = find_scenario(source)
        document, folder = read_document(path), path.absolute().parent
    if document.values is None:
        document.values = {}
    if not isinstance(document.values, dict):
        raise InputError(f"{document.name}: expected keys and values, such as `data:`; see scenarios/quickstart.yaml")
    options: dict[Place, str] = {}
    added = [override.removeprefix(_ADD) for override in overrides if override.startswith(_ADD)]
    if added:
        listed = document.values.get("uses") or []
        options.update({("uses", len(listed) + place): f"--use {one}" for place, one in enumerate(added)})
        document.values["uses"] = [*listed, *map(_use, added)]
    draft = Draft(document, folder, options)
    try:
        draft = replace(draft, uses=read_uses(document.values.get("uses"), folder))
    except InputError as error:
        raise draft.located(error) from None
    with draft.uses.active():
        _override(document.values, [one for one in overrides if not one.startswith(_ADD)], options)
    return draft


def _use(text: str) -> Any:
    """An entry of `uses` from `FILE`, `MODULE` or `FILE@SHA256`."""
    pinned = re.fullmatch(r"(.+)@([0-9a-f]{64})", text)
    return {"source": FromHere(pinned[1]), "sha256": pinned[2]} if pinned else FromHere(text)


def _override(values: Any, overrides: Sequence[str], options: dict[Place, str]) -> None:
    """Change values by `KEY=VALUE` texts."""
    for override in overrides:
        told = f"--set {override}"
        name, equals, text = override.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise InputError(f"{told}: expected KEY=VALUE, such as --set federation.rounds=5")
        value = _relative_to_here(parse_document(text, f"--set {name}").values)
        if isinstance(value, str) and " #" in text and text.lstrip()[0] not in "'\"|>":
            # To YAML a comment; on a command line a part of a path.
            value = _relative_to_here(text.strip())
        if keys[0] == "uses":
            raise InputError(f"{told}: expected --use FILE")
        _put(values, _as_written(keys), value, told, options)


def copied(value: Any) -> Any:
    """Plain values that can be changed without changing `value`; numbers and arrays of NumPy and paths become plain."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    # NumPy's numbers and arrays, and PyTorch's, without importing either.
    plain = getattr(value, "tolist", None)
    return plain() if callable(plain) else value


def _put(values: Any, keys: list[str], value: Any, told: str, options: dict[Place, str]) -> None:
    """Put a value where `keys` lead from `values`, and note in `options` that `told` put it there.

    Where it names another alternative (`scheme: iid`, say), what only the one before knows goes, unless it was put
    there as well. Errors begin with `told`.
    """
    target: Any = values
    place: Place = ()
    for depth, part in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(target, list):
            if not part.isdigit() or int(part) >= len(target):
                around = ".".join(map(str, place))
                raise InputError(f"{told}: {around} is a list of {len(target)}, counted from 0")
            at: str | int = int(part)
        elif isinstance(target, dict):
            at = part
        else:
            raise InputError(f"{told}: {'.'.join(map(str, place))} holds a value, not further keys")
        place = (*place, at)
        if last:
            for left in _obsolete_keys(place, target, value):
                if (*place[:-1], left) not in options:
                    del target[left]
            target[at] = value
        else:
            here = target.get(at) if isinstance(target, dict) else target[int(at)]
            if not isinstance(here, dict | list):
                # A bare name such as `strategy: fedavg` gives way to the keys that are set below it.
                target[at] = _container_at(place, here)
            target = target[at]
    options[place] = told


def _as_written(keys: list[str]) -> list[str]:
    """The keys of an override, those of a matrix or a search's space in one piece, as they stand there."""
    if keys[0] == "matrix" and len(keys) > 1:
        return ["matrix", ".".join(keys[1:])]
    if keys[:2] == ["search", "space"] and len(keys) > 2:
        options = ("low", "high", "log", "step", "choices")
        if keys[-1] in options:
            return ["search", "space", ".".join(keys[2:-1]), keys[-1]]
        return ["search", "space", ".".join(keys[2:])]
    return keys


def _obsolete_keys(place: Place, beside: Any, value: Any) -> list[str]:
    """The keys `beside` a place that are the old alternative's alone once the value there names another."""
    *around, key = place
    field = _field(tuple(around))
    alternatives = [part for part in (parts_of(field) if field else []) if tag_of(part) == key]
    known = {tag: keys_of(part) for part in alternatives for tag in tags_of(part)}
    if str(value) not in known:
        return []
    old, new = known.get(str(beside.get(key)), []), known[str(value)]
    return [name for name in beside if name in old and name not in new]


def _field(place: Place) -> FieldInfo | None:
    """What a scenario has at `place`."""
    part: type[BaseModel] = Scenario
    # An entry of a list has the list's alternatives.
    words = [word for word in place if isinstance(word, str)]
    for word in words[:-1]:
        inside = parts_of(part.model_fields[word]) if word in part.model_fields else []
        if len(inside) != 1:
            break
        part = inside[0]
    return part.model_fields.get(words[-1]) if words else None


def _container_at(place: Place, value: Any) -> Any:
    """What keys are put below at `place`: a bare name spelled out, the default's name where there is nothing yet."""
    field = _field(place)
    alternatives = parts_of(field) if field is not None else []
    tag = tag_of(alternatives[0]) if alternatives else None
    if field is None or tag is None:
        return {} if value is None else value
    if isinstance(value, str):
        return {tag: value}
    if value is None:
        default = getattr(field.default, tag, field.default)
        return {tag: default} if isinstance(default, str) else {}
    return value


def _relative_to_here(value: Any) -> Any:
    if isinstance(value, str):
        return FromHere(value)
    if isinstance(value, dict):
        return {key: _relative_to_here(item) for key, item in value.items()}
    return [_relative_to_here(item) for item in value] if isinstance(value, list) else value
