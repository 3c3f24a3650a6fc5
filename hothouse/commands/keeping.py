"""`export`, `import`, `predict`, `generate`: what is done with a run's model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from common.errors import InputError
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


def generate(
    run_folder: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .png of a grid of images, a .csv of a table's columns, an .npz; of documents .txt, .abc or .mid.",
            metavar="FILE",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="How many examples, 64 if left out; of documents 1.", min=1, max=1_000_000)
    ] = None,
    label: Annotated[str | None, typer.Option(help="Ask for this label, where the model goes by labels.")] = None,
    temperature: Annotated[
        float,
        typer.Option(
            help="Standard deviation of the codes; below 1 examples are more alike. "
            "Of documents: tokens are drawn from p^(1/T); 0 takes the most likely.",
            min=0,
        ),
    ] = 1.0,
    like: Annotated[
        Path | None, typer.Option(help="Make examples like the one in this file: an image, .npy, .csv.", metavar="FILE")
    ] = None,
    amount: Annotated[
        float, typer.Option("--vary", help="With --like: how far to move its code; 0 reconstructs it.", min=0)
    ] = 0.5,
    ends: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--between", help="Go from the code of one example to another's.", metavar="FILE FILE"),
    ] = None,
    steps: Annotated[int, typer.Option(help="With --between: in so many examples.", min=2, max=1000)] = 8,
    prompt: Annotated[str | None, typer.Option(help="Of documents: how they begin.", metavar="TEXT")] = None,
    length: Annotated[
        int | None, typer.Option(help="Of documents: at most so many further tokens; 500 if left out.", min=1)
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Of documents: draw from so many of the most likely tokens.", min=1)
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option("--top-p", help="Of documents: draw from the most likely tokens of so much probability.", max=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Every random draw follows from it.", min=0)] = 0,
    client: Client = None,
    trust_code: TrustCode = False,
) -> None:
    """Make examples, or continue texts, with a run's generative model or with a client's own."""
    from common.models.token_generator import TokenGenerator
    from hothouse.results import generate as making
    from hothouse.running.finished import load
    from hothouse.writing import write_file

    if like is not None and ends is not None:
        raise InputError("expected either --like or --between, not both")
    show_trusted(run_folder, trust_code)
    run = load(run_folder, trust_code)
    model = making.generator(run.model if client is None else run.own_model(client), run_folder)
    of_documents = {"--prompt": prompt, "--length": length, "--top-k": top_k, "--top-p": top_p}
    if isinstance(model, TokenGenerator):
        making.refuse(model, {"--label": label, "--like": like, "--between": ends})
        most = 1.0 if top_p is None else top_p
        texts = model.generate(prompt or "", length or 500, temperature, top_k, most, count or 1, seed)
        if out is None:
            print(making.separated(texts))
            return
        print(f"{len(texts)} documents in {write_file(out, making.written_texts(texts, out.suffix.lower()))}")
        return
    making.refuse(model, of_documents)
    count = count or 64
    if like is not None:
        made = making.vary(model, like, amount, count, label, seed)
    elif ends is not None:
        made = making.between(model, *ends, steps, label)
    else:
        made = making.generate(model, count, label, temperature, seed)
    suffix = out.suffix.lower() if out is not None else making.default_suffix(model)
    content = making.written(made, model, run.scenario, suffix)
    if out is None and suffix == ".csv":
        sys.stdout.write(content.decode())
        return
    path = write_file(out or Path(f"samples{suffix}"), content)
    print(f"{len(made.raw)} examples in {path}")
