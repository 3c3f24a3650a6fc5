"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.console import Console

from common.errors import InputError, RunError

if TYPE_CHECKING:
    from hothouse.result import Run
    from server.observers import Observer

commands = typer.Typer(
    name="hothouse",
    help="Grow one model out of many separate data sets: federated and collaborative training, simulated.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = "interrupted; the run's folder is marked incomplete, `hothouse resume` goes on with it"

ScenarioFile = Annotated[Path, typer.Argument(help="A scenario: a YAML file.", metavar="SCENARIO")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the scenario; may be repeated."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The scenario's seed.")]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.", metavar="RUN")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Ray actors; one for each processor if left out. Changes no bit.")
]
Engine = Annotated[
    Literal["ray", "local"], typer.Option(help="local runs everything in this process, with the same bits.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the run's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object per event, for scripts.")]


@commands.command()
def run(
    scenario: ScenarioFile,
    sets: Set = None,
    seed: Seed = None,
    workers: Workers = None,
    engine: Engine = "ray",
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; runs/<name>-<time> if left out.", metavar="DIR")
    ] = None,
    quiet: Quiet = False,
    json_lines: Json = False,
) -> None:
    """Run a scenario on this machine."""
    from hothouse.launch import run as launch

    with _shown(quiet, json_lines) as (observers, show):
        done = launch(
            scenario, overrides=sets or [], seed=seed, workers=workers, engine=engine, out=out, observers=observers
        )
        show(done)


@commands.command()
def resume(
    run_folder: RunFolder,
    rounds: Annotated[int | None, typer.Option(min=1, help="Prolong the run to so many rounds in all.")] = None,
    workers: Workers = None,
    engine: Engine = "ray",
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Go on although scenario, data or software changed; it is noted.")
    ] = False,
    quiet: Quiet = False,
    json_lines: Json = False,
) -> None:
    """Go on with a run that was interrupted, or prolong one: the bits are those of a run at one go."""
    from hothouse.launch import resume as launch

    with _shown(quiet, json_lines) as (observers, show):
        done = launch(
            run_folder,
            rounds=rounds,
            workers=workers,
            engine=engine,
            allow_changes=allow_changes,
            observers=observers,
        )
        show(done)


@commands.command()
def validate(scenario: ScenarioFile, sets: Set = None, seed: Seed = None) -> None:
    """Check a scenario: every mistake in it with its line, or a word on what it describes."""
    from common.scenario import cohort_size, load_scenario

    checked = load_scenario(scenario, [*(sets or []), *([] if seed is None else [f"seed={seed}"])])
    if checked.model.from_ is not None:
        from common.models.start import settled

        checked = settled(checked)
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


@commands.command("export")
def export(
    run_folder: RunFolder,
    out: Annotated[Path | None, typer.Option(help="The archive; RUN.hothouse if left out.", metavar="FILE")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Put the model in as ONNX too.")] = False,
) -> None:
    """Write a finished run into one compressed file: weights, scenario, metrics, environment, model card."""
    from hothouse.archive import export_run

    print(export_run(run_folder, out, onnx))


@commands.command("import")
def import_archive(
    archive: Annotated[Path, typer.Argument(help="An archive that `hothouse export` wrote.", metavar="ARCHIVE")],
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; runs/<archive's name> if left out.", metavar="DIR")
    ] = None,
) -> None:
    """Check an archive and restore the run in it."""
    from hothouse.archive import import_run

    print(import_run(archive, out).folder)


@commands.command()
def predict(
    run_folder: RunFolder,
    data: Annotated[Path, typer.Option(help="Rows: .npy, .npz (x, x_test or x_train) or .csv.", metavar="FILE")],
    out: Annotated[Path | None, typer.Option(help="Write CSV here, not to the screen.", metavar="FILE")] = None,
) -> None:
    """Predict with a run's final model."""
    from hothouse.predict import predict as write_predictions
    from hothouse.result import load

    model = load(run_folder).model
    if out is None:
        write_predictions(model, data, sys.stdout)
        return
    with out.open("w") as file:
        rows = write_predictions(model, data, file)
    print(f"{rows} predictions in {out}")


@contextmanager
def _shown(quiet: bool, json_lines: bool) -> Iterator[tuple[list[Observer], Callable[[Run], None]]]:
    """Who watches a run, and what prints its result, for the way in which the user wants to see it."""
    import json

    from hothouse.progress import JsonProgress, LiveProgress, result_table

    screen = Console(highlight=False)
    live = LiveProgress(screen)

    def as_json(done: Run) -> None:
        print(json.dumps({"event": "finished", "folder": str(done.folder), "summary": done.summary}))

    def as_table(done: Run) -> None:
        screen.print(result_table(done))
        screen.print(f"Run folder: {done.folder}", soft_wrap=True)

    try:
        if json_lines:
            yield [JsonProgress(sys.stdout)], as_json
        elif quiet:
            yield [], lambda done: print(done.folder)
        else:
            yield [live], as_table
    finally:
        live.stop()


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
