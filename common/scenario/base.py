"""The base of every part of a scenario: strict, frozen, each key with a description, a unit and a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Part(BaseModel):
    """A part of a scenario. Unknown keys are errors; nothing is converted silently; nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, serialize_by_alias=True)


def key(description: str, default: Any = ..., *, unit: str | None = None, **rules: Any) -> Any:
    """A key of a scenario: what it means, its default (required without one), its unit and its limits."""
    extra: dict[str, Any] = {"unit": unit} if unit else {}
    return Field(default, description=description, json_schema_extra=extra, **rules)


def refuse(at: str, expected: str) -> PydanticCustomError:
    """An error about the key `at` (dotted, relative to the part that raises it), for checks across keys."""
    return PydanticCustomError("refused", "{expected}", {"at": at, "expected": expected})


def expecting(description: str) -> WrapValidator:
    """Let a type of several alternatives fail with one message, `description`, and not one for each."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValueError:
            raise PydanticCustomError("expected", "{expected}", {"expected": description}) from None

    return WrapValidator(check)


class FromHere(str):
    """A text of the command line: a path in it is relative to the current folder, not to the scenario."""


def absolute(value: Any, info: ValidationInfo) -> Any:
    """A path made absolute: relative to the scenario's folder, or to the current one where it was typed here."""
    if not isinstance(value, str):
        return value
    try:
        path = Path(str(value)).expanduser()
    except RuntimeError:
        user = Path(str(value)).parts[0]
        raise PydanticCustomError(
            "expected", "{expected}", {"expected": f"a path; {user} is the home of no user here"}
        ) from None
    base = Path.cwd() if isinstance(value, FromHere) else Path((info.context or {}).get("folder", "."))
    return str((base / path).absolute())


FilePath = Annotated[str, BeforeValidator(absolute)]
"""A path, relative to the scenario's own file, made absolute when the scenario is read."""


def folder_or_name(value: Any, info: ValidationInfo) -> Any:
    """A folder's path made absolute as `absolute` does, where there is such a folder; any other text as it is."""
    if not isinstance(value, str):
        return value
    path = absolute(value, info)
    return path if Path(path).is_dir() else str(value)


class Named:
    """Accept a bare name for a part that needs no options: `fedavg` for `{name: fedavg}`."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def wrap(value: Any) -> Any:
            return {self.tag: value} if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(wrap, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bare = {"type": "string", "description": "The name alone: every option at its default."}
        return {"anyOf": [bare, handler(schema)]}


def name_of(part: type[Part], tag: str) -> str:
    """The name a part goes by in a scenario: the one value its key `tag` can take."""
    (name,) = get_args(part.model_fields[tag].annotation)
    return str(name)
