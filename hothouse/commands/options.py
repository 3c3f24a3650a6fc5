"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ScenarioFile = Annotated[
    Path, typer.Argument(help="A scenario: a YAML file, or the name of one that ships.", metavar="SCENARIO")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the scenario; may be repeated."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The scenario's seed.")]
AllowChanges = Annotated[
    bool, typer.Option("--allow-changes", help="Go on although scenario, data or software changed; it is noted.")
]
Client = Annotated[
    int | None,
    typer.Option(help="The own model of this client, where the strategy leaves clients one.", metavar="ID", min=0),
]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.", metavar="RUN")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Ray actors; one for each processor if left out. Changes no bit.")
]
Engine = Annotated[
    Literal["ray", "local"], typer.Option(help="local runs everything in this process, with the same bits.")
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="Run on the Ray cluster this machine belongs to.", metavar="HOST:PORT|auto"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the run's folder.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what Flower, Ray and the workers write as well.")]
Live = Annotated[bool, typer.Option("--live", help="Serve the report while the run goes on, until Ctrl-C.")]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Where to serve the live report; a free port if left out.")
]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object per event, for scripts.")]


def changes(sets: list[str] | None, seed: int | None) -> list[str]:
    """What --set and --seed change in a scenario, as KEY=VALUE."""
    return [*(sets or []), *([] if seed is None else [f"seed={seed}"])]
