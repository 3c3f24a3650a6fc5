"""Commands that measure this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console


def bench(
    workers: Annotated[int | None, typer.Option(min=1, help="Ray actors; one for each processor if left out.")] = None,
    turns: Annotated[int, typer.Option(min=1, help="How often each engine has its turn.")] = 1,
    flower: Annotated[bool, typer.Option("--flower", help="Measure Flower's own engine as well: minutes.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
) -> None:
    """Measure a round here: Hothouse beside a plain PyTorch loop and what the machine could do at best."""
    from hothouse.bench.floor import Floor
    from hothouse.bench.turns import ENGINES, as_markdown, as_table, take_turns
    from hothouse.bench.workloads import WORKLOADS
    from hothouse.running.launch import processors

    used, screen = workers or processors(), Console(stderr=True, highlight=False)
    engines = {name: command for name, command in ENGINES.items() if flower or name != "flower"}
    results = take_turns(engines, list(WORKLOADS), turns, used, screen.print)
    floor = Floor.of(used)
    if markdown:
        sys.stdout.write(as_markdown(results, floor) + "\n")
    else:
        Console(highlight=False).print(as_table(results, floor))
