"""A scenario's mistakes in words: where, what was expected, what stood there, and the nearest valid choice."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from common.scenario.document import Document, Place
from common.scenario.registry import Family
from common.scenario.scenario import Scenario

_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_pattern_mismatch": "letters, digits, dot, dash and underscore only",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}


class Mistake(NamedTuple):
    """One mistake: the line it stands on (0 where there is none), its key and the whole message."""

    line: int
    place: Place
    text: str
    across: bool
    """Whether it is a matter of several keys."""


def mistakes(error: ValidationError, document: Document, options: Mapping[Place, str]) -> list[Mistake]:
    """Every mistake, in the order of the document.

    `options` says where a value came from that the document does not have at its place: from an option of
    the command line, say. Such a mistake names that in place of a line.
    """
    found = []
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_is_inside(other["loc"], detail["loc"]) for other in details):
            continue  # only because an entry of it is wrong
        place = _place(detail, document.values)
        if detail["type"] == "invalid_key":
            place = tuple(map(str, place))
        line = document.line(place)
        where = origin(place, document, options) or (document.name if line is None else f"{document.name}:{line}")
        text = f"{where}: {'.'.join(map(str, place))}: {_complaint(detail, place)}"
        found.append(Mistake(line or 0, place, text, detail["type"] == "refused"))
    return sorted(found, key=lambda mistake: mistake.line)


def _is_inside(location: tuple[int | str, ...], around: tuple[int | str, ...]) -> bool:
    return len(location) > len(around) and location[: len(around)] == around


def origin(place: Place, document: Document, options: Mapping[Place, str]) -> str | None:
    """Where the value at `place` came from, if `options` knows: it was set there, or above or below it."""
    for at, text in reversed(list(options.items())):
        if place[: len(at)] == at or (place not in document.lines and at[: len(place)] == place):
            return text
    return None


def _place(detail: ErrorDetails, values: Any) -> Place:
    """The error's location without the names of alternatives that pydantic puts into it."""
    location = detail["loc"]
    place: Place = ()
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(values, dict):
            if part in values or (last and detail["type"] in ("missing", "extra_forbidden")):
                place, values = (*place, part), values.get(part)
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            place, values = (*place, part), values[part]
    if detail["type"] == "refused":
        at = detail["ctx"]["at"]
        # The keys of a matrix are dotted themselves.
        place = (*place, at) if isinstance(values, dict) and at in values else (*place, *filter(None, at.split(".")))
    return place


def _complaint(detail: ErrorDetails, place: Place) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        known = _keys(detail["loc"][:-1])
        return f"unknown key{_nearest(str(place[-1]), known) or '; known here: ' + ', '.join(known)}"
    if kind == "invalid_key":
        return f"expected a word as key, got {_format_found(found)}"
    if kind == "missing":
        return "this key is required"
    if kind == "refused":
        return f"expected {context['expected']}"
    if kind == "union_tag_not_found":
        tag = context["discriminator"].strip("'")
        return f"expected the key {tag}, one of {', '.join(_choices(detail['loc']))}"
    if kind in ("union_tag_invalid", "literal_error"):
        choices = [name.strip().strip("'") for name in _expected_text(context).replace(" or ", ", ").split(", ")]
        if kind == "union_tag_invalid":
            found = context["tag"]
        return f"expected {_listed(choices)}, got {_format_found(found)}{_nearest(str(found), choices)}"
    if kind == "expected":
        return f"expected {context['expected']}, got {_format_found(found)}"
    if kind in _WORDS:
        return f"expected {_WORDS[kind].format(**context)}, got {_format_found(found)}"
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}, got {_format_found(found)}"


def _expected_text(context: Mapping[str, Any]) -> str:
    return str(context.get("expected_tags") or context.get("expected"))


def _listed(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"


def _format_found(found: Any) -> str:
    if isinstance(found, dict):
        return "keys and values"
    text = repr(found) if not isinstance(found, str) else repr(str(found))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearest(name: str, choices: list[str]) -> str:
    near = get_close_matches(name, choices, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at an error's location."""
    part = _part(location)
    return keys_of(part) if part else []


def _choices(location: tuple[int | str, ...]) -> list[str]:
    """The alternatives of the union at an error's location."""
    # An item of a list has the list's alternatives.
    names = [step for step in location if isinstance(step, str)]
    around = _part(tuple(names[:-1]))
    if around is None:
        return []
    parts = parts_of(around.model_fields[names[-1]])
    return [name for part in parts for name in tags_of(part)]


def _part(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The part of a scenario at an error's location, alternatives chosen by the names pydantic put there."""
    part: type[BaseModel] | None = Scenario
    alternatives: list[type[BaseModel]] = []
    for step in location:
        if part is not None and step in part.model_fields:
            alternatives = parts_of(part.model_fields[str(step)])
            part = alternatives[0] if len(alternatives) == 1 else None
        elif alternatives:
            part = next((one for one in alternatives if step in tags_of(one)), part)
    return part


def parts_of(annotation: Any) -> list[type[BaseModel]]:
    """The parts that a key, or its type, allows."""
    marks = annotation.metadata if isinstance(annotation, FieldInfo) else getattr(annotation, "__metadata__", ())
    for mark in marks:
        if isinstance(mark, Family):
            return list(mark.parts.values())
    if isinstance(annotation, FieldInfo):
        annotation = annotation.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in get_args(annotation) for part in parts_of(inner)]


def keys_of(part: type[BaseModel]) -> list[str]:
    """The keys that a part knows."""
    return [field.alias or name for name, field in part.model_fields.items()]


def tag_of(part: type[BaseModel]) -> str | None:
    """The key by whose value a part is chosen among others; None for a part that is not."""
    name, field = next(iter(part.model_fields.items()))
    return name if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1 else None


def tags_of(part: type[BaseModel]) -> list[str]:
    """The name by which an alternative is chosen: the value of its first key."""
    first = next(iter(part.model_fields.values()))
    return [str(value) for value in get_args(first.annotation)]
