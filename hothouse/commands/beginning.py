"""`new`: a scenario, or a part, of one's own to start from."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from common.errors import InputError


def new(
    name: Annotated[str, typer.Argument(help="Its name; NAME.yaml, or NAME.py, is written here.", metavar="NAME")],
    like: Annotated[
        str, typer.Option(help="The scenario that ships to start from.", metavar="SCENARIO")
    ] = "quickstart",
    part: Annotated[
        str | None, typer.Option(help="Write a part of this kind in place of a scenario: strategy, …", metavar="KIND")
    ] = None,
) -> None:
    """Write a commented scenario to start from, a copy of one that ships, or with --part a part of your own."""
    from common.scenario.shipped import shipped_scenario
    from hothouse.writing import write_file

    if part is not None:
        _new_part(part, name)
        return
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if path.exists():
        raise InputError(f"{path}: exists already; choose another name")
    model = shipped_scenario(like)
    text = model.read_text(encoding="utf-8")
    # Beside it there is no schema for editors, nor the data that paths lead to.
    text = re.sub(r"^# yaml-language-server.*\n", "", text)
    write_file(path, re.sub(r"^name: .*$", f"name: {path.stem}", text, count=1, flags=re.MULTILINE).encode())
    print(f"{path}: a copy of {like}; hothouse validate {path} checks it, hothouse run {path} runs it")


def _new_part(kind: str, name: str) -> None:
    """Write NAME.py with a part of a kind, called NAME. Raises InputError for a kind or a name that is none."""
    from hothouse import starters
    from hothouse.writing import write_file

    kinds = sorted(path.stem for path in Path(starters.__file__).parent.glob("*.txt"))
    if kind not in kinds:
        near = get_close_matches(kind, kinds, 1)
        raise InputError(
            f"--part: expected one of {', '.join(kinds)}, got {kind!r}" + (f"; did you mean {near[0]}?" if near else "")
        )
    stem = name.removesuffix(".py")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", stem):
        raise InputError(f"{name}: expected lower-case letters, digits and underscores, such as my_{kind}")
    path = Path(f"{stem}.py")
    if path.exists():
        raise InputError(f"{path}: exists already; choose another name")
    text = (Path(starters.__file__).parent / f"{kind}.txt").read_text(encoding="utf-8")
    (old,) = re.findall(r"^class (\w+)\(\w+Part|^class (\w+)\(\w+Augmentation", text, re.MULTILINE)
    class_name = "".join(word.capitalize() for word in stem.split("_"))
    text = re.sub(rf"\b{''.join(old)}(?=\b|Server\b|Client\b|Rule\b|Tracker\b)", class_name, text)
    text = re.sub(r', name="\w+"', f', name="{stem}"', text)
    write_file(path, text.encode())
    print(f"{path}: a {kind} to start from; hothouse test-part {path} tests it, and docs/extending.md explains it")
