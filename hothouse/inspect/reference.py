"""The reference of every key of a scenario, in Markdown, from the schema itself."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from common.scenario import Scenario
from common.scenario.base import Part
from common.scenario.mistakes import parts_of
from common.scenario.registry import Family

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
    _describe_below(part, path, lines)


def _describe_below(part: type[BaseModel], path: str, lines: list[str]) -> None:
    """The parts that a part's keys are of, or choose from."""
    for name, field in part.model_fields.items():
        below = parts_of(field)
        here = f"{path}.{field.alias or name}".lstrip(".")
        if not _chosen(field):
            for one in below:
                _describe(one, here, lines)
        else:
            for one in below:
                assert issubclass(one, Part)
                tag, value = _tag(one)
                lines += [f"### `{here}: {{{tag}: {value}}}`", "", " ".join((one.__doc__ or "").split()), ""]
                lines += _table(one, without=tag)
                _describe_below(one, here, lines)


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
    chosen = any(isinstance(rule, Family) for rule in field.metadata)
    kind = "one of the kinds below" if chosen else _words(field.annotation)
    return " ".join([kind, *limits]).replace("|", "\\|")


def _words(annotation: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        if parts_of(annotation):
            return "keys below"
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
        return "one of the kinds below" if _chosen(annotation) else _words(inner[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys below"
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if isinstance(value, Part):
        return f"`{value.part_name}`" if value.part_name else ""
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


def _chosen(annotation: Any) -> bool:
    """Whether a key, or its type, is one part among others."""
    return any(part.part_name for part in parts_of(annotation) if issubclass(part, Part))


def _tag(part: type[Part]) -> tuple[str, str]:
    return part.family.tag, part.part_name
