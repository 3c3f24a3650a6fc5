"""`app`: ordinary Flower apps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hothouse.commands.options import Workers


def app(
    path: Annotated[Path, typer.Argument(help="The folder of a Flower app, with its pyproject.toml.", metavar="PATH")],
    partitions: Annotated[int, typer.Option(min=1, help="How many nodes: a partition for each.")] = 10,
    workers: Workers = None,
    run_config: Annotated[
        list[str] | None,
        typer.Option("--run-config", "-c", metavar="KEY=VALUE", help="Change the app's run config; may be repeated."),
    ] = None,
) -> None:
    """Run an ordinary Flower app of the Message API on Ray actors that stay up, a node for each partition."""
    from hothouse.running.flower_app import read_app, run_app

    run_app(path, read_app(path, partitions, workers, run_config or []))
