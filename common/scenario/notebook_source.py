"""The source of a class that was defined in a notebook's cell or in the running script, to be used as a file is."""

from __future__ import annotations

import ast
import builtins
import hashlib
import sys
from pathlib import Path
from types import ModuleType

from common.errors import InputError
from common.scenario.uses import remember

_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_of(part: type) -> str:
    """What stands for a class in `use`: its module's file, or the text of its cell as `NAME.py@SHA256`.

    Raises InputError with the reason where its source is unknown, or does more than define things.
    """
    module = sys.modules.get(part.__module__, ModuleType(""))
    file = getattr(module, "__file__", None)
    if part.__module__ != "__main__":
        # A module of a package can only be imported by its name.
        return part.__module__ if file is None or "." in part.__module__ else str(file)
    text = _cell(part.__name__)
    if text is None and file is not None and Path(file).is_file():
        text = Path(file).read_text()
    if text is None:
        raise InputError(f"{part.__name__}: its source is unknown, as of what is typed at a prompt; put it into a file")
    _check(part.__name__, text)
    content = f"{text.rstrip()}\n".encode()
    remember([content])
    return f"{part.__name__.lower()}.py@{hashlib.sha256(content).hexdigest()}"


def _cell(name: str) -> str | None:
    """The newest cell of the notebook that defines a class; None where there is no notebook, or no such cell."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    for cell in reversed(shell.user_ns.get("In", []) if shell is not None else []):
        try:
            tree = ast.parse(cell)
        except SyntaxError:
            continue
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in tree.body):
            return str(cell)
    return None


def _check(name: str, text: str) -> None:
    """Refuse a source that runs something when it is loaded, or needs what it does not define."""
    tree = ast.parse(text)
    for node in tree.body:
        if not _only_defines(node):
            what = ast.unparse(node).partition("\n")[0]
            raise InputError(
                f"{name}: its cell or script also runs `{what}` (line {node.lineno}); define it apart from that"
            )
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    unknown = sorted(loaded - _bound(tree) - vars(builtins).keys() - {"__name__", "__file__"})
    if unknown:
        raise InputError(f"{name}: needs {unknown[0]}, which its cell does not define; define or import it there")


def _only_defines(node: ast.stmt) -> bool:
    """Whether a statement defines something and runs nothing; `if __name__ == "__main__":` does not count."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is None or not any(isinstance(part, ast.Call) for part in ast.walk(node.value))
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    guard = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
    return guard or isinstance(node, _DEFINITIONS)


def _bound(tree: ast.AST) -> set[str]:
    """Every name that is defined somewhere in the source."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in names}
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.add(name)
    return found
