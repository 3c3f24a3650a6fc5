"""Reading a file that says which clients take part in which rounds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.scenario.document import Place, read_document

Rounds = dict[int, dict[int, str]]
"""For each round its clients' ids, and where in the file each stands (`file:line`)."""


def read_participation(path: Path) -> Rounds:
    """The schedule in a .yaml, .yml or .csv file.

    Raises InputError, with file and line, for what is no schedule: other columns, numbers that are none, a client
    twice in a round, a round without clients.
    """
    readers = {".yaml": _read_yaml, ".yml": _read_yaml, ".csv": _read_csv}
    if path.suffix not in readers:
        raise InputError(f"{path}: expected a schedule that ends in .yaml, .yml or .csv")
    rounds: Rounds = {}
    for where, number, client in readers[path.suffix](path):
        clients = rounds.setdefault(_read_whole_number(where, "round", number, 1), {})
        if client is None:
            continue
        one = _read_whole_number(where, "client", client, 0)
        if one in clients:
            raise InputError(f"{where}: client {one} stands in round {number} twice, first at {clients[one]}")
        clients[one] = where
    for number, clients in sorted(rounds.items()):
        if not clients:
            raise InputError(f"{path}: round {number} has no clients; expected at least one")
    if not rounds:
        raise InputError(f"{path}: expected clients for at least one round, found none")
    return rounds


def _read_yaml(path: Path) -> list[tuple[str, Any, Any]]:
    document = read_document(path)
    values = document.values
    entries: list[tuple[Place, Any, Any]]
    if isinstance(values, list):
        entries = [((place,), place + 1, clients) for place, clients in enumerate(values)]
    elif isinstance(values, dict):
        entries = [((str(number),), number, clients) for number, clients in values.items()]
    else:
        raise InputError(f"{path}: expected a list of client ids for each round")
    found: list[tuple[str, Any, Any]] = []
    for place, number, clients in entries:
        where = f"{path}:{document.line(place)}"
        if not isinstance(clients, list):
            raise InputError(f"{where}: round {number}: expected a list of client ids, got {clients!r}")
        found.append((where, number, None))
        found += [(f"{path}:{document.line((*place, i))}", number, client) for i, client in enumerate(clients)]
    return found


def _read_csv(path: Path) -> list[tuple[str, Any, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if [name.strip() for name in header] != ["round", "client"]:
                raise InputError(f"{path}:1: expected the columns round,client, got {','.join(header)!r}")
            found: list[tuple[str, Any, Any]] = []
            for row in reader:
                where = f"{path}:{reader.line_num}"
                if len(row) != 2:
                    raise InputError(f"{where}: expected a round and a client, got {','.join(row)!r}")
                found.append((where, row[0], row[1]))
            return found
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text") from None


def _read_whole_number(where: str, what: str, value: Any, least: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or int(text) < least:
        raise InputError(f"{where}: {what}: expected a whole number of at least {least}, got {value!r}")
    return int(text)
