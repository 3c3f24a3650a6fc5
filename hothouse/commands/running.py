"""`run`, `sweep`, `resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.errors import InputError
from hothouse.commands.options import (
    AllowChanges,
    Device,
    Engine,
    Gpus,
    Json,
    Live,
    Port,
    Quiet,
    RayAddress,
    RunFolder,
    ScenarioFile,
    Seed,
    Set,
    TrustCode,
    UseFiles,
    Verbose,
    Workers,
    card_numbers,
)
from hothouse.commands.showing import display_run, display_sweep, show_trusted


def run(
    scenario: ScenarioFile,
    sets: Set = None,
    seed: Seed = None,
    use: UseFiles = None,
    workers: Workers = None,
    engine: Engine = "ray",
    ray_address: RayAddress = None,
    device: Device = None,
    gpus: Gpus = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; runs/<name>-<time> if left out.", metavar="DIR")
    ] = None,
    live: Live = False,
    port: Port = None,
    quiet: Quiet = False,
    json_lines: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run a scenario on this machine, or on a Ray cluster it belongs to."""
    from hothouse.running.launch import run as launch

    with display_run(quiet, json_lines, live, port) as (observers, show):
        done = launch(
            scenario,
            overrides=[*(sets or []), *([] if device is None else [f"training.device={device}"])],
            use=use or [],
            seed=seed,
            workers=workers,
            engine=engine,
            ray_address=ray_address,
            gpus=card_numbers(gpus),
            out=out,
            observers=observers,
            verbose=verbose,
        )
        show(done)


def sweep(
    scenario: Annotated[Path, typer.Argument(help="A scenario with matrix, seeds or search.", metavar="SCENARIO")],
    sets: Set = None,
    seed: Seed = None,
    use: UseFiles = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processors to use; all if left out. Does not affect results.")
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option("--at-once", min=1, help="Runs at once, sharing the workers; a run for each if left out."),
    ] = None,
    engine: Engine = "ray",
    out: Annotated[
        Path | None,
        typer.Option(help="The sweep's folder; runs/<name>-sweep-<time> if left out.", metavar="DIR"),
    ] = None,
    allow_changes: AllowChanges = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the sweep's folder.")] = False,
    json_lines: Json = False,
) -> None:
    """Run every combination of a scenario's matrix and seeds, or search for the best values.

    With --out naming the folder of an interrupted sweep, that sweep is resumed; finished runs are not repeated.
    """
    display_sweep(
        scenario,
        quiet,
        json_lines,
        overrides=sets or [],
        use=use or [],
        seed=seed,
        workers=workers,
        at_once=at_once,
        engine=engine,
        out=out,
        allow_changes=allow_changes,
    )


def resume(
    run_folder: RunFolder,
    rounds: Annotated[int | None, typer.Option(min=1, help="Extend the run to this many rounds in total.")] = None,
    workers: Workers = None,
    engine: Engine = "ray",
    ray_address: RayAddress = None,
    gpus: Gpus = None,
    allow_changes: AllowChanges = False,
    trust_code: TrustCode = False,
    live: Live = False,
    port: Port = None,
    quiet: Quiet = False,
    json_lines: Json = False,
    verbose: Verbose = False,
) -> None:
    """Resume an interrupted or killed run or sweep, or extend a run; bit-identical to an uninterrupted run."""
    from hothouse.running.launch import resume as launch
    from hothouse.sweeps.result import is_sweep

    if is_sweep(run_folder):
        for option, given in (("--rounds", rounds), ("--ray-address", ray_address), ("--gpus", gpus)):
            if given is not None:
                raise InputError(f"{run_folder} is a sweep; {option} is for a single run")
        display_sweep(run_folder, quiet, json_lines, workers=workers, engine=engine, allow_changes=allow_changes)
        return
    show_trusted(run_folder, trust_code)
    with display_run(quiet, json_lines, live, port) as (observers, show):
        done = launch(
            run_folder,
            rounds=rounds,
            workers=workers,
            engine=engine,
            ray_address=ray_address,
            gpus=card_numbers(gpus),
            allow_changes=allow_changes,
            trust_code=trust_code,
            observers=observers,
            verbose=verbose,
        )
        show(done)
