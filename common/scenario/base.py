"""The base of every part of a scenario: strict, frozen, each key with a description, a unit and a default."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from common.scenario.registry import Family, is_built_in


class Part(BaseModel):
    """A part of a scenario. Unknown keys are errors; nothing is converted silently; nothing changes later.

    One that a scenario can choose among others joins the `family` of its base under a `name`. `compiled` says
    which of its keys the compiled trainer heeds: PyTorch trains where others are set, or where a part does not say.
    A part does its work in methods of its own, or the other words of the class name, as text, what does it:
    `class Oort(SelectionPart, name="oort", runs=":OortRule")`; without a module it is in the same file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, serialize_by_alias=True)
    family: ClassVar[Family[Any]]
    halves: ClassVar[Mapping[str, str]] = {}
    """Where what does the work is, as `module:attribute`."""
    compiled: ClassVar[Collection[str] | bool] = False
    """Which keys the compiled trainer heeds: those named, all, or none, since it does not know the part."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions, and what they are called now: they are read for one version more, with a notice."""
    part_name: ClassVar[str] = ""
    """The name it goes by in a scenario."""

    def __init_subclass__(cls, *, name: str = "", compiled: Collection[str] | bool = False, **halves: str) -> None:
        super().__init_subclass__()
        # A subclass inherits none of them: something else does its work.
        cls.part_name, cls.compiled = name, compiled
        cls.halves = {half: f"{cls.__module__}{at}" if at.startswith(":") else at for half, at in halves.items()}
        if name:
            tag, meaning = cls.family.tag, (cls.__doc__ or "").strip().partition("\n")[0]
            cls.__annotations__ = {tag: Literal[name], **inspect.get_annotations(cls)}
            setattr(cls, tag, Field(name, description=meaning))
            cls.family.add(name, cls)

    @classmethod
    def is_built_in(cls) -> bool:
        """Whether it is a part of Hothouse's, not of a file that a scenario uses."""
        return is_built_in(cls)

    @model_validator(mode="before")
    @classmethod
    def _with_renamed_keys(cls, value: Any) -> Any:
        for old, new in cls.renamed.items():
            if isinstance(value, Mapping) and old in value and new not in value:
                warnings.warn(f"the key {old} was renamed to {new}; write {new}", FutureWarning, stacklevel=2)
                value = {new if key == old else key: one for key, one in value.items()}
        return value

    @classmethod
    def __pydantic_init_subclass__(cls, **words: Any) -> None:
        """Take the words of the class, which pydantic passes on."""


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
