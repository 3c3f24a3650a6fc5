"""Where a competition's final model came from, told from ladder.jsonl alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from common.errors import InputError
from common.run_files import read_lines
from hothouse.results.records import naming_folder
from hothouse.results.run_folder import RunFolder, run_folder


def lineage(run: str | Path | RunFolder) -> pd.DataFrame:
    """The ancestry of a finished competition's global model, newest first: a row per round of its line.

    Columns: `round`; `client`, whose network it was (−2 for a champion that was kept); `score`, by the metric in the
    column's name; `share`, how much of that network is in what the round spread, in the first row how much of it is in
    the model; `parent`, the client whose weights it started from (−1: the untrained model or given weights); and a
    column for each setting that was the network's own.
    Where a round spread a mean, the line follows the largest share; it begins with the one network that is the model
    where that scored better than the last mean.

    Raises InputError for a run in which nothing competed.
    """
    run = run if isinstance(run, RunFolder) else run_folder(run)
    with naming_folder(run.folder):
        return pd.DataFrame(_rows(run))


def _rows(run: RunFolder) -> list[dict[str, Any]]:
    ladder = [entry for entry in read_lines(run.folder / "ladder.jsonl") if entry["clients"]]
    if not ladder:
        raise InputError(f"{run.folder}: no networks competed in this run; federation.strategy: competition lets them")
    entries = {entry["round"]: entry for entry in ladder}
    rows: list[dict[str, Any]] = []
    for number, client in trace_back(ladder):
        entry = entries[number]
        place = entry["clients"].index(client)
        own = {key: values[place] for key, values in entry.get("settings", {}).items()}
        rows.append(
            {
                "round": number,
                "client": client,
                entry["metric"]: entry["scores"][place],
                "share": 1.0 if not rows and entry.get("reported") == client else entry["shares"][place],
                "parent": entry["parents"][place],
                **own,
            }
        )
    return rows


def winner(entry: dict[str, Any]) -> int:
    """The client with the largest share in a round's global model; of several, the one that ranks first."""
    if (alone := entry.get("reported")) is not None:
        return int(alone)
    shares: list[float] = entry["shares"]
    return int(entry["clients"][shares.index(max(shares))])


def trace_back(ladder: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """The final weights' line back to round 0, newest first: (round, client whose network it was)."""
    line: list[tuple[int, int]] = []
    wanted: int | None = None
    for entry in reversed(ladder):
        client = winner(entry) if wanted is None else wanted
        if client in entry["clients"]:
            line.append((entry["round"], client))
            wanted = entry["parents"][entry["clients"].index(client)]
            if wanted == -1:
                break
    return line
