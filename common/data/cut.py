"""Cuts prepared data for a deployment: a folder for the server, and one for each node with its clients' examples."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import META, Indices, Prepared, Shards, write_shards
from common.data.sums import write_sums
from common.data.table import save_texts
from common.errors import InputError


def cut(prepared: Prepared, nodes: int, out: Path) -> list[Path]:
    """Write `out`/server with the test and validation examples, and `out`/node-0 … with those of each node's clients.

    Client c lives on node c mod `nodes`. New folders can be entered by their owner only (mode 0700). A folder that
    holds its part already stays as it is. Raises InputError where there are more nodes than clients, where a folder
    holds something else or a damaged part, or where one cannot be written.
    """
    clients = np.asarray(prepared.clients)
    if nodes > len(clients):
        raise InputError(f"{nodes} nodes, but there are only {len(clients)} clients; --nodes is at most that")
    parts = {"server": clients[:0]} | {f"node-{node}": clients[clients % nodes == node] for node in range(nodes)}
    folders = []
    for name, mine in parts.items():
        folder = out / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_there(folder, prepared, mine):
                _write(folder, prepared, mine, with_tests=name == "server")
        except OSError as error:
            raise InputError(f"{error.filename or folder}: the folder cannot be written ({error.strerror})") from None
        folders.append(folder)
    return folders


def _is_there(folder: Path, prepared: Prepared, clients: Indices) -> bool:
    """Whether a folder holds this part already, and not something else."""
    if not (folder / META).exists():
        return False
    found = Prepared(folder)
    if found.key != prepared.key or not np.array_equal(found.clients, clients):
        raise InputError(f"{folder} holds a part of different data; remove it, or choose another folder with --out")
    found.check()
    return True


def _write(folder: Path, prepared: Prepared, clients: Indices, with_tests: bool) -> None:
    """One part; meta.json, without which a folder is nothing, comes last."""
    tests = [np.asarray(rows if with_tests else rows[:0]) for rows in (prepared.test, prepared.validation)]
    own = [np.concatenate([prepared.training_examples(c), prepared.holdout_examples(c)]) for c in clients.tolist()]
    shards, held = Shards.of(own), prepared.holdout_sizes[np.isin(prepared.clients, clients)]
    rows, places = _renumbered([shards.positions, *tests])
    names = [name if client in clients else "" for client, name in enumerate(prepared.meta.clients)]
    meta = replace(prepared.meta, rows_folder=".", key=prepared.key, everyone=len(prepared.clients))
    meta = replace(meta, clients=names if len(clients) else [])
    with tempfile.TemporaryDirectory(prefix=".cut-", dir=folder) as building:
        part = Path(building)
        np.save(part / "x.npy", prepared.x[rows])
        np.save(part / "y.npy", prepared.y[rows])
        if meta.text is not None:
            texts = prepared.texts
            save_texts(part, [texts[row] for row in rows.tolist()])
        write_shards(part, meta, clients, Shards(places[0], shards.sizes), np.asarray(held), places[1], places[2])
        write_sums(part)
        for path in sorted(part.iterdir(), key=lambda path: path.name == META):
            shutil.move(path, folder / path.name)


def _renumbered(groups: list[Indices]) -> tuple[Indices, list[NDArray[np.int64]]]:
    """The rows that any group names, ascending, and each group's places among them."""
    rows = np.unique(np.concatenate(groups))
    return rows, [np.searchsorted(rows, group) for group in groups]
