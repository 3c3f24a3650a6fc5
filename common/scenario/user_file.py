"""Loading a user's file as a module of its own, with errors that name its lines."""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from common.errors import InputError, RunError
from common.scenario.registry import FAMILIES

PREFIX = "hothouse_uses_"
"""What the names of such modules begin with."""


@contextmanager
def errors_with_lines() -> Iterator[None]:
    """Turn what a user's file raises while this lasts into a RunError that names the file and the line."""
    try:
        yield
    except (InputError, RunError):
        raise
    except Exception as error:
        where = line_in_user_file(error)
        if not where:
            raise
        raise RunError(f"{where}: {type(error).__name__}: {error}") from error


def line_in_user_file(error: BaseException) -> str:
    """The innermost line of a user's file that an error passed through, as `FILE:LINE`; empty if there is none."""
    lines = [
        f"{Path(frame.f_code.co_filename).name}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").startswith(PREFIX)
    ]
    return lines[-1] if lines else ""


def execute(name: str, path: Path, text: bytes, before: Mapping[str, ModuleType], local: bool) -> None:
    """Load the file `path`, whose content is `text`, as the module `name`.

    `before` are the modules that it can import by the names of their files; `local` says that the file is at its path,
    and not only its content here. Raises InputError with the line at fault.
    """
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(f"{path}{f':{line}' if line else ''}: {getattr(error, 'msg', error)}") from None
    if local:
        _check_imports(tree, path, before)

    def import_before(module: str, *arguments: Any, **options: Any) -> Any:
        return before[module] if module in before else builtins.__import__(module, *arguments, **options)

    made = ModuleType(name)
    made.__file__ = str(path)
    made.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_before}
    sys.modules[name] = made
    linecache.cache[str(path)] = (len(text), None, text.decode(errors="replace").splitlines(True), str(path))
    try:
        exec(compile(tree, str(path), "exec"), made.__dict__)
    except Exception as error:
        del sys.modules[name]
        for family in FAMILIES.values():
            family.forget(name)
        lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
        raise InputError(f"{path}{f':{lines[-1]}' if lines else ''}: {type(error).__name__}: {error}") from None


def _check_imports(tree: ast.Module, path: Path, before: Mapping[str, ModuleType]) -> None:
    """Refuse imports of local files that the scenario does not name before this one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise InputError(f"{path}:{node.lineno}: relative imports have no package here; name the file in uses")
            names = [str(node.module)]
        else:
            continue
        for top in (name.partition(".")[0] for name in names):
            local = path.parent / f"{top}.py"
            if top in before or not (local.is_file() or (path.parent / top).is_dir()):
                continue
            if top in sys.stdlib_module_names or (local.is_file() and local.samefile(path)):
                continue
            spec = find_spec(top)
            if spec is None or spec.origin is None or Path(spec.origin).is_relative_to(path.parent.absolute()):
                raise InputError(
                    f"{path}:{node.lineno}: imports {top}, a file beside it; name that in uses too, before this one"
                )
