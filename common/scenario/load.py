"""From a YAML file and overrides to a Scenario, or to one message that lists every mistake; and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from common.errors import InputError
from common.scenario.draft import read_draft
from common.scenario.scenario import Scenario
from common.scenario.uses import copy_into
from common.whole_files import write_whole


def load_scenario(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a YAML file (or in a mapping of the same form), changed by `KEY=VALUE` overrides.

    KEY is dotted (`training.optimizer.lr`), VALUE is YAML. Paths in a file are relative to its folder, paths
    in a mapping or an override to the current one.

    Raises InputError: one message with a line for each mistake.
    """
    return read_draft(source, overrides).scenario()


@contextmanager
def located(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Iterator[None]:
    """Put the scenario's file and line, or the override at fault, before what is said about one of its keys."""
    try:
        yield
    except InputError as error:
        if not error.key:
            raise
        raise read_draft(source, overrides).located(error) from None


def dump_scenario(scenario: Scenario) -> str:
    """The scenario as YAML with every default filled in and every path absolute; reading it gives it back."""
    values = scenario.model_dump(mode="json", exclude_none=True, exclude=set() if scenario.uses else {"uses"})
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def keep_scenario(scenario: Scenario, path: Path) -> None:
    """Write the scenario to `path`, and the files that it uses into the folder `uses` beside it."""
    kept = scenario.model_copy(update={"uses": copy_into(scenario.uses, path.parent)})
    write_whole(path, dump_scenario(kept).encode())


def identity_of(scenario: Scenario) -> dict[str, Any]:
    """The scenario as plain values by which it is told from others: wherever its files lie, wherever its numbers go."""
    values = scenario.model_dump(mode="json", exclude_none=True, exclude={"tracking", "uses"})
    return values | {"uses": {use.name: use.sha256 for use in scenario.uses}} if scenario.uses else values


def single_run(scenario: Scenario) -> Scenario:
    """The scenario itself. Raises InputError where it describes a sweep and not one run."""
    if scenario.sweeps is not None:
        raise InputError("this scenario is a sweep of many runs; use `hothouse sweep`", scenario.sweeps)
    return scenario
