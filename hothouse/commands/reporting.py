"""`report`, `watch`, `compare`, `lineage`: looking at runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hothouse.commands.options import Port, RunFolder
from hothouse.commands.showing import serve


def report(
    run_folder: RunFolder,
    out: Annotated[Path | None, typer.Option(help="The page; report.html in RUN if left out.", metavar="FILE")] = None,
) -> None:
    """Write a run's report again: one page that opens offline, also for a run that has not ended."""
    from hothouse.report.run import write_report

    print(write_report(run_folder, out))


def lineage(
    run_folder: RunFolder,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> None:
    """Show where a competition's final model came from, round by round back to round 0."""
    from rich.table import Table

    from hothouse.results.ancestry import lineage as ancestry
    from hothouse.results.records import read

    line = ancestry(run_folder)
    if csv:
        sys.stdout.write(line.to_csv(index=False))
        return
    records, screen = read(run_folder), Console(highlight=False)
    table = Table(title=f"{len(line)} generations of the final model", title_justify="left")
    for name in line.columns:
        table.add_column(name.replace("_", " "), justify="right")
    for row in line.to_dict("records"):
        told = {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()}
        told["client"] = records.name_of(int(row["client"]))
        told["parent"] = "the start" if row["parent"] == -1 else records.name_of(int(row["parent"]))
        table.add_row(*told.values())
    screen.print(table)


def watch(run_folder: RunFolder, port: Port = None) -> None:
    """Serve a run's report on this machine until Ctrl-C; the page updates while the run continues."""
    from hothouse.results.records import read
    from hothouse.running.live import LivePage

    read(run_folder)
    page = LivePage(port)
    page.serve(run_folder)
    print(f"Report: {page.address} until Ctrl-C", flush=True)
    try:
        serve()
    finally:
        page.close()


def compare(
    runs: Annotated[list[str], typer.Argument(help="Runs' folders, folders of runs, or patterns.", metavar="RUN…")],
    target: Annotated[
        str | None, typer.Option(help="A target value of a metric: METRIC=VALUE.", metavar="METRIC=VALUE")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric to compare by; the task's own if left out.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the table in LaTeX, for booktabs.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    out: Annotated[Path | None, typer.Option(help="The page; comparison.html if left out.", metavar="FILE")] = None,
) -> None:
    """Compare runs: tables and a page, with confidence intervals and paired tests over seeds."""
    from hothouse.comparison import compare as compared
    from hothouse.comparison.tables import terminal
    from hothouse.report.page import write_page

    comparison = compared(runs, metric=metric, target=target)
    texts = [
        text()
        for wanted, text in ((latex, comparison.latex), (markdown, comparison.markdown), (csv, comparison.csv))
        if wanted
    ]
    for text in texts:
        sys.stdout.write(text)
    if not texts:
        screen = Console(highlight=False)
        for table in terminal(comparison, screen.width):
            screen.print(table)
        for folder, why in comparison.found.left_out:
            screen.print(f"Left out: {folder}: {why}", soft_wrap=True)
    if out is None and texts:
        return
    path = write_page(comparison.page(), out or Path("comparison.html"))
    print(f"Page: {path}", file=sys.stderr if texts else sys.stdout)
