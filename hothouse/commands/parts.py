"""`test-part`: whether a part of your own keeps what built-in parts promise."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common.errors import RunsFailed
from hothouse.commands.options import Set


def try_part(
    file: Annotated[str, typer.Argument(help="A Python file, or an installed module, with parts.", metavar="FILE")],
    full: Annotated[bool, typer.Option("--full", help="Try it on Ray too.")] = False,
    sets: Set = None,
) -> None:
    """Test your own parts: repeated, stacked, killed and resumed, at the limits of their options."""
    from hothouse.part_checks import check_parts

    table = Table("part", "promise", "", box=None, pad_edge=False)
    failed = 0
    for check in check_parts(file, sets or [], full):
        failed += bool(check.reason)
        table.add_row(check.part, check.promise, f"[red]no: {escape(check.reason)}" if check.reason else "yes")
    Console(highlight=False).print(table)
    if failed:
        raise RunsFailed(f"{file}: {failed} of {table.row_count} checks failed")
