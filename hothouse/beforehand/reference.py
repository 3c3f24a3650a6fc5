"""The reference of every key of a scenario, in Markdown, from the schema itself."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from common.scenario import Scenario

_LIMITS = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))


def schema_text() -> str:
    """The JSON Schema of scenarios, for editors."""
    return json.dumps(Scenario.model_json_schema(by_alias=True), indent=1, ensure_ascii=False) + "\n"


def reference_text() -> str:
    """Every key with its type, default, unit and meaning."""
    lines = [
        "# Every key of a scenario",
        "",
        "Written by `hothouse schema --markdown`; a test keeps it up to date. A part with a choice of kinds may be",
        "written as the bare name where every option of it has a default: `strategy: fedavg`.",
        "",
    ]
    _describe(Scenario, "", lines)
    return "\n".join(lines).rstrip() + "\n"


def _describe(part: type[BaseModel], path: str, lines: list[str]) -> None:
    """A part's keys as a table, then the parts below it."""
    doc = " ".join((part.__doc__ or "").split())
    if path:
        lines += [f"## `{path}`", "", doc, ""]
    lines += _table(part)
    for name, field in part.model_fields.items():
        below = _parts(field.annotation)
        here = f"{path}.{field.alias or name}".lstrip(".")
        if len(below) == 1 and not _tagged(below[0]):
            _describe(below[0], here, lines)
        else:
            for one in below:
                tag, value = _tag(one)
                lines += [f"### `{here}: {{{tag}: {value}}}`", "", " ".join((one.__doc__ or "").split()), ""]
                lines += _table(one, without=tag)


def _table(part: type[BaseModel], without: str = "") -> list[str]:
    rows = [
        f"| `{field.alias or name}` | {_kind(field)} | {_default(field)} | {_unit(field)} | {field.description} |"
        for name, field in part.model_fields.items()
        if name != without
    ]
    if not rows:
        return ["No options.", ""]
    return ["| key | value | default | unit | meaning |", "|---|---|---|---|---|", *rows, ""]


def _kind(field: FieldInfo) -> str:
    limits = [
        text.format(_number(getattr(rule, name)))
        for rule in field.metadata
        for name, text in _LIMITS
        if hasattr(rule, name)
    ]
    kind = _words(field.annotation)
    return " ".join([kind, *limits]).replace("|", "\\|")


def _words(annotation: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        parts = _parts(annotation)
        if parts:
            return "keys below" if len(parts) == 1 and not _tagged(parts[0]) else "one of the kinds below"
        if {int, float} <= set(inner):
            return "number"
        return " or ".join(dict.fromkeys(_words(one) for one in inner if one is not type(None)))
    if origin is tuple:
        return f"list of {_words(inner[0])}"
    if origin is dict:
        return f"{_words(inner[1])} for each key"
    if annotation is Any:
        return "any value"
    if hasattr(annotation, "__metadata__"):
        return _words(inner[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys below"
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if isinstance(value, BaseModel):
        tag = _tag(type(value)) if _tagged(type(value)) else None
        return f"`{tag[1]}`" if tag else ""
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else _number(value)}`"


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _parts(inner)]


def _tagged(part: type[BaseModel]) -> bool:
    first = next(iter(part.model_fields.values()))
    return get_origin(first.annotation) is Literal and len(get_args(first.annotation)) == 1


def _tag(part: type[BaseModel]) -> tuple[str, str]:
    name, field = next(iter(part.model_fields.items()))
    return name, str(get_args(field.annotation)[0])
