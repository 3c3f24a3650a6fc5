"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from common.errors import InputError, RunError

commands = typer.Typer(
    name="hothouse",
    help="Grow one model out of many separate data sets: federated and collaborative training, simulated.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = "interrupted; the run's folder is marked incomplete"

ScenarioFile = Annotated[Path, typer.Argument(help="A scenario: a YAML file.", metavar="SCENARIO")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the scenario; may be repeated."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The scenario's seed.")]


@commands.command()
def run(
    scenario: ScenarioFile,
    sets: Set = None,
    seed: Seed = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Ray actors; one for each processor if left out. Changes no bit.")
    ] = None,
    engine: Annotated[
        Literal["ray", "local"], typer.Option(help="local runs everything in this process, with the same bits.")
    ] = "ray",
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; runs/<name>-<time> if left out.", metavar="DIR")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the run's folder.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="Print a JSON object per event, for scripts.")] = False,
) -> None:
    """Run a scenario on this machine."""
    from hothouse.launch import run as launch
    from hothouse.progress import JsonProgress, LiveProgress, result_table

    screen = Console(highlight=False)
    live = LiveProgress(screen)
    observers = [JsonProgress(sys.stdout)] if json_lines else [] if quiet else [live]
    try:
        done = launch(
            scenario, overrides=sets or [], seed=seed, workers=workers, engine=engine, out=out, observers=observers
        )
    finally:
        live.stop()
    if json_lines:
        import json

        print(json.dumps({"event": "finished", "folder": str(done.folder), "summary": done.summary}))
    elif quiet:
        print(done.folder)
    else:
        screen.print(result_table(done))
        screen.print(f"Run folder: {done.folder}", soft_wrap=True)


@commands.command()
def validate(scenario: ScenarioFile, sets: Set = None, seed: Seed = None) -> None:
    """Check a scenario: every mistake in it with its line, or a word on what it describes."""
    from common.scenario import cohort_size, load_scenario

    checked = load_scenario(scenario, [*(sets or []), *([] if seed is None else [f"seed={seed}"])])
    clients = checked.data.partition.clients
    cohort = cohort_size(checked.federation.clients_per_round, clients)
    print(
        f"{scenario}: fine. {checked.name}: {clients} clients of {checked.data.source.kind} data, "
        f"{cohort} in each of {checked.federation.rounds} rounds, {checked.federation.strategy.name}"
    )


@commands.command()
def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    import json

    from common.scenario import Scenario

    print(json.dumps(Scenario.model_json_schema(), indent=2))


def main() -> NoReturn:
    """Run a command. Exit status: 0 done, 1 the run failed or was interrupted, 2 the input was wrong."""
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        # Typer turns an interrupt into a returned status of its own.
        status = _complain(_INTERRUPTED, 1) if commands(standalone_mode=False) else 0
    except InputError as error:
        status = _complain(_located(error), 2)
    except RunError as error:
        status = _complain(f"the run failed: {error}", 1)
    except (KeyboardInterrupt, typer.Abort):
        status = _complain(_INTERRUPTED, 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        from click import ClickException

        if not isinstance(error, ClickException):
            raise
        error.show()
        status = 2
    sys.exit(status)


def _complain(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _located(error: InputError) -> str:
    """The message with the scenario's file and line before it, where the error is about one of its keys."""
    from common.scenario.document import read_document

    files = [argument for argument in sys.argv[2:] if argument.endswith((".yaml", ".yml"))]
    if not error.key or not files:
        return str(error)
    line = read_document(Path(files[0])).line(tuple(error.key.split(".")))
    return f"{files[0]}:{line}: {error}" if line else f"{files[0]}: {error}"


def _interrupted(signal_number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
