"""`export`, `import`, `predict`: what is done with a run's model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hothouse.commands.options import Client, RunFolder, TrustCode
from hothouse.commands.showing import show_trusted, show_untrusted


def export(
    run_folder: RunFolder,
    out: Annotated[Path | None, typer.Option(help="The archive; RUN.hothouse if left out.", metavar="FILE")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Put the model in as ONNX too.")] = False,
    client: Client = None,
    trust_code: TrustCode = False,
) -> None:
    """Write a finished run into one compressed file: weights, scenario, metrics, environment, model card."""
    from hothouse.archives.archive import export_run

    show_trusted(run_folder, trust_code)
    print(export_run(run_folder, out, onnx, client, trust_code))


def import_archive(
    archive: Annotated[Path, typer.Argument(help="An archive that `hothouse export` wrote.", metavar="ARCHIVE")],
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; runs/<archive's name> if left out.", metavar="DIR")
    ] = None,
) -> None:
    """Check an archive and restore the run in it."""
    from hothouse.archives.archive import import_run

    folder = import_run(archive, out).folder
    print(folder)
    show_untrusted(folder)


def predict(
    run_folder: RunFolder,
    data: Annotated[
        Path, typer.Option(help="Rows: .npy, .npz (x, x_test or x_train) or .csv; texts; pictures.", metavar="FILE")
    ],
    out: Annotated[Path | None, typer.Option(help="Write CSV here, not to the screen.", metavar="FILE")] = None,
    client: Client = None,
    safe_csv: Annotated[
        bool,
        typer.Option("--safe-csv", help="Write an apostrophe before labels that a spreadsheet would run as formulas."),
    ] = False,
    trust_code: TrustCode = False,
) -> None:
    """Predict with a run's final model, or with a client's own."""
    from hothouse.results.predict import predict as predictions
    from hothouse.running.finished import load
    from hothouse.writing import write_file

    show_trusted(run_folder, trust_code)
    run = load(run_folder, trust_code)
    text, rows = predictions(run.model if client is None else run.own_model(client), data, safe_csv)
    if out is None:
        sys.stdout.write(text)
        return
    write_file(out, text.encode())
    print(f"{rows} predictions in {out}")
