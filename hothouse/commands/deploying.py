"""`cut`, `keys`, `supernode`: what a deployment needs before its first run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hothouse.commands.options import ScenarioFile, Seed, Set, changes


def cut(
    scenario: ScenarioFile,
    nodes: Annotated[int, typer.Option(min=1, help="How many nodes share the clients: client c goes to node c mod N.")],
    out: Annotated[Path, typer.Option(help="Where the folders server, node-0, node-1, … go.", metavar="DIR")],
    sets: Set = None,
    seed: Seed = None,
) -> None:
    """Cut a scenario's data for a deployment: each node's folder holds the examples of its own clients only."""
    from common.data.cut import cut as write
    from hothouse.inspect.check import check

    for folder in write(check(scenario, changes(sets, seed)).prepared, nodes, out):
        print(folder)


def keys(
    nodes: Annotated[int, typer.Option(min=1, help="For how many SuperNodes.")],
    out: Annotated[Path, typer.Option(help="Where they go; what is there already stays.", metavar="DIR")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or address of the SuperLink; may be repeated. localhost and 127.0.0.1 if left out."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="How long certificates are valid.")] = 365,
) -> None:
    """Create the keys of a deployment: a private CA, the SuperLink's certificate, a key pair for each SuperNode."""
    from hothouse.deployment.credentials import make_credentials

    for path in make_credentials(out, nodes, host or ["localhost", "127.0.0.1"], days):
        print(path)


def supernode(
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Options of flower-supernode, which tells them by --help.", metavar="FLOWER_OPTIONS..."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where the node's ClientApps reach it.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port for that; each node of a machine has its own.")
    ] = 9094,
    workers: Annotated[
        int, typer.Option(min=1, help="How many processes train; more than one need a private Ray, started beside it.")
    ] = 1,
) -> None:
    """Run a Flower SuperNode that imports PyTorch once instead of once per message."""
    from hothouse.deployment.supernode import become_supernode

    become_supernode(host, port, workers, options or [])
