"""The one registry: what there is of everything that a scenario can choose from.

A part declares itself where its options are declared:

    class Oort(SelectionPart, name="oort", runs=":OortRule"):

From that follow the type that a scenario's key accepts, its messages, the JSON Schema, `hothouse list`, the reference
and what does the work, which is named as text and imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, PydanticKnownError, core_schema

P = TypeVar("P", bound=BaseModel)

FAMILIES: dict[str, Family[Any]] = {}
"""Every family, by its title."""

_ACTIVE: ContextVar[tuple[str, ...]] = ContextVar("active modules", default=())
"""The modules of users whose parts count now."""
_BUILT_IN = ("common", "server")


class Family(Generic[P]):
    """Parts of which a scenario's key names one; as the annotation of a type, what such a key accepts.

    A part without options that are required may be given by its bare name: `fedavg` for `{name: fedavg}`.
    """

    def __init__(
        self, title: str, tag: str = "name", *, in_steps: bool = False, declared_in: str = "", default: str = ""
    ) -> None:
        """`title` is what `hothouse list` calls it, `tag` the key that names the part.

        `in_steps` says that its parts are at work within training steps, so that the compiled trainer must know them.
        `declared_in` says which modules declare the parts, where that is not the module of the family: all of a
        package (`common.data.skews.*`), or one of each of its packages (`common.methods.*.options`). They are imported
        when parts are asked for, which are then in the order of their names. `default` is the part that keys without
        a name are of.
        """
        self.title, self.tag, self.in_steps = title, tag, in_steps
        self._declared_in, self._default = declared_in, default
        self._parts: dict[str, type[P]] = {}
        self._own: dict[str, dict[str, type[P]]] = {}
        """Users' parts by module: they count only while a scenario that uses the module is read."""
        FAMILIES[title] = self

    @property
    def parts(self) -> Mapping[str, type[P]]:
        """The parts by name: the built-in ones, and those of what the scenario at hand uses."""
        own = {name: part for module in _ACTIVE.get() for name, part in self.own_parts(module).items()}
        return {**self.built_in, **own}

    @property
    def built_in(self) -> Mapping[str, type[P]]:
        """Those of Hothouse's own by name."""
        if self._declared_in:
            _import_all(self._declared_in)
        return self._parts

    def own_parts(self, module: str) -> Mapping[str, type[P]]:
        """The parts that a user's module declares, by name."""
        return self._own.get(module, {})

    def forget(self, module: str) -> None:
        """Drop what a module declares that could not be loaded."""
        self._own.pop(module, None)

    def add(self, name: str, part: type[P]) -> None:
        """Take in a part under a name. Raises ValueError for a name that is taken."""
        built_in = is_built_in(part)
        # A notebook's cell or a script may define a class again; it is used by its source, not from here.
        mine = {} if part.__module__ == "__main__" else self.own_parts(part.__module__)
        known = self._parts if built_in else {**self.built_in, **mine}
        if name in known:
            raise ValueError(f"{name} is one of the {self.title} already; choose another name")
        if not built_in:
            self._own.setdefault(part.__module__, {})[name] = part
            return
        self._parts[name] = part
        if self._declared_in:
            self._parts = dict(sorted(self._parts.items()))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bare = {"enum": list(self.parts), "description": "The name alone: every option at its default."}
        return {"anyOf": [bare, *(handler(part.__pydantic_core_schema__) for part in self.parts.values())]}

    def _validate(self, value: Any, info: ValidationInfo) -> Any:
        """The part that `value` describes, found when a scenario is validated."""
        known = self.parts
        if getattr(value, "family", None) is self:
            return value
        if isinstance(value, str):
            value = {self.tag: value}
        if not isinstance(value, Mapping):
            raise PydanticKnownError("dict_type")
        if self.tag not in value and self._default:
            value = {self.tag: self._default, **value}
        if self.tag not in value:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": repr(self.tag)})
        name = value[self.tag]
        if not isinstance(name, str) or name not in known:
            context = {"discriminator": repr(self.tag), "tag": str(name), "expected_tags": ", ".join(map(repr, known))}
            raise PydanticKnownError("union_tag_invalid", context)
        try:
            return known[name].model_validate(value, context=info.context)
        except ValidationError as error:
            # As pydantic's own unions do, with the name of the alternative in the place of each mistake.
            raise ValidationError.from_exception_data(
                error.title, [_below(str(name), one) for one in error.errors(include_url=False)]
            ) from None


def _below(name: str, error: Any) -> InitErrorDetails:
    kind, context = error["type"], error.get("ctx", {})
    own = kind in ("refused", "expected")
    return InitErrorDetails(
        type=PydanticCustomError(kind, "{expected}", context) if own else kind,
        loc=(name, *error["loc"]),
        input=error["input"],
        ctx=context,
    )


def is_built_in(part: type) -> bool:
    """Whether a part, or what does its work, is one of Hothouse's, by the package that declares it."""
    return part.__module__.partition(".")[0] in _BUILT_IN


@contextmanager
def active_modules(modules: Iterable[str]) -> Iterator[None]:
    """While this lasts, the parts that these modules declare count beside the built-in ones, in this thread."""
    token = _ACTIVE.set(tuple(modules))
    try:
        yield
    finally:
        _ACTIVE.reset(token)


class Declared(Protocol):
    """A part, or its class."""

    halves: ClassVar[Mapping[str, str]]


def implementation(part: Declared | type[Declared], half: str = "runs") -> Any:
    """What does a part's work, by the text in its declaration. Raises LookupError where it declares no such half."""
    where = part.halves.get(half)
    if where is None:
        raise LookupError(f"{part.halves} of {part} has no {half}")
    return _imported(where)


@cache
def _import_all(pattern: str) -> None:
    package, _, inside = pattern.partition(".*")
    for found in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{found.name}{inside}")


@lru_cache(maxsize=1024)
def _imported(where: str) -> Any:
    module, _, attribute = where.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found
