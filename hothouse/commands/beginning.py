"""`new`: a scenario of one's own to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from common.errors import InputError


def new(
    name: Annotated[str, typer.Argument(help="The scenario's name; NAME.yaml is written here.", metavar="NAME")],
    like: Annotated[
        str, typer.Option(help="The scenario that ships to start from.", metavar="SCENARIO")
    ] = "quickstart",
) -> None:
    """Write a commented scenario to start from, a copy of one that ships."""
    from common.scenario.shipped import named
    from hothouse.writing import write_file

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if path.exists():
        raise InputError(f"{path}: exists already; choose another name")
    model = named(like)
    text = model.read_text(encoding="utf-8")
    # Beside it there is no schema for editors, nor the data that paths lead to.
    text = re.sub(r"^# yaml-language-server.*\n", "", text)
    write_file(path, re.sub(r"^name: .*$", f"name: {path.stem}", text, count=1, flags=re.MULTILINE).encode())
    print(f"{path}: a copy of {like}; hothouse validate {path} checks it, hothouse run {path} runs it")
