"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from common.errors import InputError
from common.scenario.draft import uses

ScenarioFile = Annotated[
    Path, typer.Argument(help="A scenario: a YAML file, or the name of a shipped one.", metavar="SCENARIO")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the scenario; may be repeated."),
]
UseFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--use",
        metavar="FILE",
        help="A Python file, or an installed module, with parts of your own; may be repeated.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The scenario's seed.")]
AllowChanges = Annotated[
    bool,
    typer.Option("--allow-changes", help="Continue although the scenario, data or software changed; events record it."),
]
TrustCode = Annotated[
    bool,
    typer.Option("--trust-code", help="Run code that came with an imported run; lists the files and their SHA-256."),
]
Client = Annotated[
    int | None,
    typer.Option(help="Use this client's own model, where the strategy keeps one.", metavar="ID", min=0),
]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.", metavar="RUN")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Ray actors; one for each processor if left out. Does not affect results.")
]
Engine = Annotated[
    Literal["ray", "local"], typer.Option(help="local runs everything in this process; results are bit-identical.")
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="Run on the Ray cluster this machine belongs to.", metavar="HOST:PORT|auto"),
]
Device = Annotated[
    Literal["cpu", "cuda", "auto"] | None,
    typer.Option("--device", help="Where clients are trained: training.device of the scenario."),
]
Gpus = Annotated[
    str | None,
    typer.Option("--gpus", help="Cards to train on, one worker for each; all if left out.", metavar="0,1,…"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the run's folder.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also show what Flower, Ray and the workers write.")]
Live = Annotated[bool, typer.Option("--live", help="Serve the report while the run continues, until Ctrl-C.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the live report; a free one if left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object per event, for scripts.")]


def changes(sets: list[str] | None, seed: int | None, files: list[str] | None = None) -> list[str]:
    """What --use, --set and --seed change in a scenario, as KEY=VALUE."""
    return [*uses(files or []), *(sets or []), *([] if seed is None else [f"seed={seed}"])]


def card_numbers(text: str | None) -> list[int] | None:
    """What --gpus names. Raises InputError where that is no list of numbers."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise InputError(f"--gpus {text}: expected numbers of cards, such as 0 or 0,1")
    return [int(part) for part in parts]
