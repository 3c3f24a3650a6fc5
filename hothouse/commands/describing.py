"""`validate`, `preview`, `schema`, `list`: what a scenario says, and what it could say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.data.data_spec import describe_task
from common.errors import InputError
from hothouse.commands.options import ScenarioFile, Seed, Set, UseFiles, changes


def validate(scenario: ScenarioFile, sets: Set = None, seed: Seed = None, use: UseFiles = None) -> None:
    """Check a scenario and its data: report every mistake with its line, or summarize what it describes."""
    from common.scenario import expected_cohort
    from hothouse.inspect.check import check

    checked = check(scenario, changes(sets, seed, use))
    chosen, prepared, meta = checked.scenario, checked.prepared, checked.prepared.meta
    clients = len(prepared.clients)
    runs = ""
    if chosen.sweeps is not None:
        from hothouse.sweeps.read import prepare_runs, read_plan

        plan = read_plan(scenario, changes(sets, seed, use))
        prepare_runs(plan)
        runs = f"a sweep of {plan.count} runs around "
    task = describe_task(meta.task, meta.labels, meta.targets)
    if meta.sequence is not None:
        task = f"{chosen.model.name} learns the next {meta.sequence.unit.removesuffix('s')} of documents"
    elif chosen.model.generates:
        task = f"{chosen.model.name} learns the examples themselves"
    cohort = min(expected_cohort(chosen.federation, clients), clients)
    many = f"{cohort:g}" if chosen.federation.selection.sampling_rate() is None else f"about {cohort:g}"
    print(
        f"{scenario}: fine. {chosen.name}: {runs}{clients} clients of {chosen.data.source.kind} data, "
        f"{many} in each of {chosen.federation.rounds} rounds, {chosen.federation.strategy.name}; "
        f"{task}, "
        f"{int(prepared.training_sizes.sum()):,} examples to train on, {len(prepared.test):,} to test on"
    )
    print(f"network: {checked.network}")
    if chosen.federation.privacy is not None and not runs:
        from server.accounting import PrivacyMechanism

        rounds = chosen.federation.rounds
        for statement in PrivacyMechanism.of(chosen, clients).statements(rounds):
            print(f"privacy: after {rounds} rounds {statement.in_words()}")
    for hint in checked.hints:
        print(f"hint: {hint}")


def preview(
    scenario: ScenarioFile,
    sets: Set = None,
    seed: Seed = None,
    use: UseFiles = None,
    out: Annotated[Path | None, typer.Option(help="The page; NAME-preview.html if left out.", metavar="FILE")] = None,
) -> None:
    """Show which client has which data before training: a table here, and a page to open in a browser."""
    from hothouse.inspect.check import check
    from hothouse.inspect.preview import Preview
    from hothouse.report.page import write_page

    checked = check(scenario, changes(sets, seed, use))
    chosen, looked_at = checked.scenario, Preview(checked.scenario, checked.prepared)
    screen = Console(highlight=False)
    for table in looked_at.terminal():
        screen.print(table)
    path = write_page(looked_at.page(), out or Path(f"{chosen.name}-preview.html"))
    screen.print(f"Page: {path}", soft_wrap=True)


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference of every key instead.")] = False,
    use: UseFiles = None,
) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from common.scenario.uses import read_uses
    from hothouse.inspect.reference import reference_text, schema_text

    with read_uses(use, Path.cwd()).active():
        sys.stdout.write(reference_text() if markdown else schema_text())


def list_choices(
    kind: Annotated[str | None, typer.Argument(help="scenarios, sources, partitions, trackers, …")] = None,
    use: UseFiles = None,
) -> None:
    """List the available scenarios, sources, partitions, optimizers, strategies, trackers, …"""
    from difflib import get_close_matches

    from rich.markup import escape
    from rich.table import Table

    from common.scenario.uses import read_uses
    from hothouse.inspect.catalogue import catalogue

    with read_uses(use, Path.cwd()).active():
        found = catalogue()
    if kind is not None and kind not in found:
        near = get_close_matches(kind, found, 1)
        raise InputError(
            f"expected one of {', '.join(found)}, got {kind!r}" + (f"; did you mean {near[0]}?" if near else "")
        )
    screen = Console(highlight=False)
    for name in [kind] if kind else found:
        table = Table(title=name, title_justify="left", show_header=False, box=None, pad_edge=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for choice, line in found[name]:
            table.add_row(choice, escape(line))
        screen.print(table)
