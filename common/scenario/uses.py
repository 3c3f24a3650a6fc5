"""`uses:` a user's own parts: Python files, or installed modules, that join the built-in parts for one scenario.

A file is known by its SHA-256 and loaded once in a process. A scenario names every file: one can import another local
file only where the scenario names that before it. On a node, `find_uses` takes what the node itself has: in the folder
`uses` of its app, in its cache, or installed. A message names files and their SHA-256, and never brings code.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, ValidationInfo

from common.cache_folder import cache_folder
from common.errors import InputError
from common.scenario.base import Part, absolute, key
from common.scenario.registry import FAMILIES, active_modules
from common.scenario.user_file import PREFIX, execute
from common.whole_files import write_whole

_APP = Path(__file__).resolve().parent.parent.parent
"""The folder of the app that this code belongs to."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.py")
_MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")

UNTRUSTED = "untrusted.txt"
"""Stands beside files that came with an archive: while it is there, they are loaded only where the user asks for it."""
_TRUSTING: ContextVar[bool] = ContextVar("trusting", default=False)
_LOCK = threading.RLock()
_TEXTS: dict[str, bytes] = {}
"""Every file that this process has read, by its SHA-256."""
_LOADED: dict[str, tuple[Use, ...]] = {}
"""What each module was loaded with, itself in the end, by its name."""


def _file_or_module(value: Any, info: ValidationInfo) -> Any:
    return absolute(value, info) if isinstance(value, str) and value.endswith(".py") else value


class Use(Part):
    """A Python file with parts of your own, or an installed module."""

    source: Annotated[str, BeforeValidator(_file_or_module), Field(pattern=rf"\.py$|^{_MODULE_NAME.pattern}$")] = key(
        "A file that ends in .py, relative to the scenario's own, or the name of an installed module."
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = key(
        "The SHA-256 of the file. It is filled in when the file is read, and checked where it is given.", None
    )

    version: str | None = key("The version of the package that an installed module is in, filled in like sha256.", None)

    @property
    def is_file(self) -> bool:
        """Whether it is a file, not an installed module."""
        return self.source.endswith(".py")

    @property
    def name(self) -> str:
        """The file's name, or the module's."""
        return Path(self.source).name if self.is_file else self.source


Uses = tuple[Annotated[Use, BeforeValidator(lambda value: {"source": value} if isinstance(value, str) else value)], ...]
_USES: TypeAdapter[tuple[Use, ...]] = TypeAdapter(Annotated[Uses, Field(strict=False)])


@dataclass(frozen=True)
class LoadedUses:
    """What a scenario uses, loaded."""

    uses: tuple[Use, ...] = ()
    """With their SHA-256."""
    modules: Mapping[str, ModuleType] = field(default_factory=dict)
    """The modules by the name that a file's neighbours import it by."""

    @contextmanager
    def active(self) -> Iterator[None]:
        """While this lasts, their parts are among those that a scenario can name."""
        with active_modules(module.__name__ for module in self.modules.values()):
            yield


def read_uses(entries: Any, folder: Path) -> LoadedUses:
    """Load what a scenario lists under `uses`; relative paths are relative to `folder`.

    Raises InputError, with the key, for a file that is missing, changed, not trusted or cannot be loaded. A list that
    is not valid is left to the scenario's own validation.
    """
    try:
        wanted = _USES.validate_python(entries or (), context={"folder": folder})
    except ValidationError:
        return LoadedUses()
    _check_trust(wanted, folder)
    return _load_all(wanted, lambda use: Path(use.source))


def find_uses(wanted: Iterable[Use]) -> LoadedUses:
    """Load what a server names: from what this process has read, the app's folder, the cache or installed modules.

    Raises InputError where something is missing here, is not the server's, or is named without a SHA-256.
    """
    return _load_all(_exactly(wanted), _node_file)


def sha256_here(use: Use) -> str:
    """The SHA-256 of what this machine has of a file or an installed module that a server names; empty for nothing."""
    try:
        if not use.is_file:
            return _sha256(_installed(use.source).read_bytes())
        if use.sha256 in _TEXTS:
            return str(use.sha256)
        return _sha256(_node_file(use).read_bytes())
    except (InputError, OSError):
        return ""


def named_only(uses: Iterable[Use]) -> tuple[Use, ...]:
    """Names and SHA-256 alone: other machines do not have the folders that files lie in."""
    return tuple(use.model_copy(update={"source": use.name, "version": None}) for use in uses)


def copy_into(uses: Iterable[Use], folder: Path) -> tuple[Use, ...]:
    """Write the files into `folder`/uses, and name them there, relative to `folder`."""
    kept = []
    for use in uses:
        if use.is_file:
            (folder / "uses").mkdir(exist_ok=True)
            write_whole(folder / "uses" / use.name, _TEXTS[str(use.sha256)])
        kept.append(use.model_copy(update={"source": f"uses/{use.name}" if use.is_file else use.source}))
    return tuple(kept)


def find_beside(wanted: Iterable[Use], folder: Path) -> LoadedUses:
    """Load what a file in `folder` names, from what this process has read or the folder `uses` beside that file.

    Raises InputError for what is missing, changed or not trusted, and for a name without a SHA-256.
    """
    named = _exactly(wanted)
    _check_trust(named, folder)
    return _load_all(named, lambda use: folder / "uses" / use.name)


@contextmanager
def trusting(trust_code: bool) -> Iterator[None]:
    """While this lasts, code that came with an archive is loaded where `trust_code` says so."""
    token = _TRUSTING.set(trust_code)
    try:
        yield
    finally:
        _TRUSTING.reset(token)


def describe(uses: Iterable[Use]) -> str:
    """Files and modules with their SHA-256, a line each."""
    return "\n".join(
        f"  {f'uses/{use.name}' if use.is_file else f'module {use.name}'}  SHA-256 {use.sha256}" for use in uses
    )


def _check_trust(wanted: Sequence[Use], folder: Path) -> None:
    """Raise InputError where `folder` is an imported run and nobody said to trust its code."""
    if wanted and not _TRUSTING.get() and (folder / "uses" / UNTRUSTED).exists():
        raise InputError(
            f"{folder}: this run was imported and needs code that came with it, or that it names:\n{describe(wanted)}\n"
            "Read that code, then pass --trust-code (in Python: trust_code=True) to run it"
        )


def imported(module: str, uses: Sequence[Use], key: str) -> ModuleType:
    """A module by name: a file among what a scenario uses, or an installed one. Raises InputError, with the key."""
    own = _load_all(tuple(uses), _node_file).modules.get(module)
    if own is not None:
        return own
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"{module}: {error}; a file is named in uses, as {module}.py", key) from None


def _exactly(wanted: Iterable[Use]) -> tuple[Use, ...]:
    """What others name. Raises InputError for a name alone: only content that is known to be meant is loaded."""
    named = tuple(wanted)
    for use in named:
        if use.sha256 is None:
            raise InputError(f"{use.name}: expected its SHA-256 beside it")
    return named


def uses_of(*parts: Part) -> tuple[Use, ...]:
    """What was loaded for the parts among these that are users' own, by name and SHA-256."""
    needed = (use for part in parts for use in _LOADED.get(type(part).__module__, ()))
    return named_only(dict.fromkeys(needed))


def remember(texts: Iterable[bytes]) -> None:
    """Take in files' contents, so that they are loaded from here: workers are given what they cannot read."""
    _TEXTS.update({_sha256(text): text for text in texts})


def texts_of(uses: Iterable[Use]) -> list[bytes]:
    """The contents of the files among what a scenario uses."""
    return [_TEXTS[use.sha256] for use in uses if use.is_file and use.sha256 in _TEXTS]


def keep_in_cache(uses: Iterable[Use]) -> None:
    """Keep the files in this machine's cache, by their SHA-256, for nodes of the same user on the same machine."""
    folder = cache_folder() / "uses"
    for use in uses:
        if use.is_file:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(folder / f"{use.sha256}.py", _TEXTS[str(use.sha256)])


def _node_file(use: Use) -> Path:
    """Where a node has a file that a server names: in the folder `uses` of its app, else in its cache."""
    if not _FILE_NAME.fullmatch(use.name):
        raise InputError(f"{use.name!r} is not the name of a Python file")
    own = _APP / "uses" / use.name
    cached = cache_folder() / "uses" / f"{use.sha256}.py"
    return cached if not own.exists() and cached.exists() else own


def _load_all(wanted: Sequence[Use], locate: Callable[[Use], Path]) -> LoadedUses:
    uses: list[Use] = []
    modules: dict[str, ModuleType] = {}
    with _LOCK:
        for place, use in enumerate(wanted):
            try:
                sha256, module = _load(use, locate, modules)
            except InputError as error:
                raise InputError(str(error), f"uses.{place}") from None
            stem = Path(use.name).stem if use.is_file else use.name
            if stem in modules:
                raise InputError(f"two files are named {stem}; rename one", f"uses.{place}")
            modules[stem] = module
            version = None if use.is_file else _version(use.source)
            uses.append(use.model_copy(update={"sha256": sha256, "version": version}))
            _LOADED[module.__name__] = tuple(uses)
        _check_names(modules)
    return LoadedUses(tuple(uses), modules)


def _load(use: Use, locate: Callable[[Use], Path], before: Mapping[str, ModuleType]) -> tuple[str, ModuleType]:
    """The SHA-256 and the module of a file or an installed module."""
    if not use.is_file:
        return _load_installed(use)
    text, path, local = _TEXTS.get(use.sha256 or ""), Path(use.source), False
    if text is None:
        found = locate(use)
        try:
            text = found.read_bytes()
        except OSError as error:
            raise InputError(f"{found}: cannot be read ({error.strerror})") from None
        local = found.name == use.name
        path = found if local else path
    sha256 = _sha256(text)
    _check_sha256(use, sha256)
    _TEXTS[sha256] = text
    # A file is another one where those that it may import are others.
    identity = _sha256(text + "".join(module.__name__ for module in before.values()).encode())
    name = f"{PREFIX}{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{identity[:16]}"
    if name not in sys.modules:
        execute(name, path, text, before, local)
    return sha256, sys.modules[name]


def _load_installed(use: Use) -> tuple[str, ModuleType]:
    path = _installed(use.source)
    sha256 = _sha256(path.read_bytes())
    _check_sha256(use, sha256)
    try:
        return sha256, import_module(use.source)
    except Exception as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from None


def _installed(module: str) -> Path:
    """The file of an installed module, found without importing anything. Raises InputError where there is none."""
    top, *inside = module.split(".")
    spec = find_spec(top)
    origins = [] if spec is None or spec.origin is None else [Path(spec.origin)]
    for folder in (spec.submodule_search_locations or ()) if spec is not None and inside else ():
        within = Path(folder).joinpath(*inside)
        origins = [within.with_name(f"{within.name}.py"), within / "__init__.py"]
        if any(origin.is_file() for origin in origins):
            break
    found = next((origin for origin in origins if origin.is_file()), None)
    if found is None or (inside and spec is not None and not spec.submodule_search_locations):
        raise InputError(f"no module {module} is installed; the name of a file ends in .py")
    return found


def _version(module: str) -> str | None:
    """The version of the package that an installed module is in; None where none is recorded."""
    for package in packages_distributions().get(module.partition(".")[0], []):
        return version(package)
    return None


def _check_sha256(use: Use, found: str) -> None:
    if use.sha256 not in (None, found):
        told = f"{use.source}: has changed: its SHA-256 is {found[:12]}…, expected {str(use.sha256)[:12]}…"
        if not use.is_file and use.version:
            told += f"; its version is {_version(use.source) or 'unknown'}, expected {use.version}"
        raise InputError(told)


def _check_names(modules: Mapping[str, ModuleType]) -> None:
    """Refuse two files with parts of one name."""
    for family in FAMILIES.values():
        seen: dict[str, str] = {}
        for stem, module in modules.items():
            for name in family.own_parts(module.__name__):
                if name in seen:
                    raise InputError(f"{stem} and {seen[name]} both have a part {name} of the {family.title}", "uses")
                seen[name] = stem


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
