"""Cut for a deployment, each part holds its own clients' examples and no others, and all parts together everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from common.data import Prepared, open_prepared, prepare
from common.data.cut import cut
from common.errors import InputError, RunError
from common.scenario import load_scenario
from server.grid.local import LocalGrid
from server.rounds import Rounds

NODES = 3


@pytest.fixture(scope="module")
def whole(quickstart: Path) -> Prepared:
    changes = ["data.partition.clients=7", "data.client_holdout=0.2", "federation.clients_per_round=1.0"]
    return prepare(load_scenario(quickstart, changes))


def test_every_client_is_on_one_node_with_the_rows_it_had(whole: Prepared, tmp_path: Path) -> None:
    server, *nodes = [Prepared(folder) for folder in cut(whole, NODES, tmp_path)]
    assert sorted(client for node in nodes for client in node.clients.tolist()) == list(range(7))
    for number, node in enumerate(nodes):
        assert (node.clients % NODES == number).all()
        assert len(node.x) == sum(node.training_sizes) + sum(node.holdout_sizes), "no other rows are there"
        for client in node.clients.tolist():
            for rows_of in (Prepared.training_examples, Prepared.holdout_examples):
                assert np.array_equal(node.x[rows_of(node, client)], whole.x[rows_of(whole, client)])
                assert np.array_equal(node.y[rows_of(node, client)], whole.y[rows_of(whole, client)])
        assert len(node.test) == len(node.validation) == 0
    assert len(server.clients) == 0
    assert len(server.x) == len(server.test) + len(server.validation)
    assert np.array_equal(server.x[server.test], whole.x[whole.test])
    assert {part.key for part in (server, *nodes)} == {whole.key}


def test_texts_are_cut_like_numbers(tmp_path: Path) -> None:
    lines = [f"{'ham' if n % 2 else 'spam'}\tmessage number {n}" for n in range(20)]
    (tmp_path / "messages").write_text("\n".join(lines))
    source = {"kind": "text", "path": str(tmp_path / "messages")}
    scenario = load_scenario({"data": {"source": source, "partition": {"scheme": "iid", "clients": 4}}})
    whole = prepare(scenario)
    _, first, _ = [Prepared(folder) for folder in cut(whole, 2, tmp_path / "out")]
    rows, before = first.training_examples(2), whole.training_examples(2)
    assert [first.texts[row] for row in rows.tolist()] == [whole.texts[row] for row in before.tolist()]


def test_what_is_there_already_stays(whole: Prepared, tmp_path: Path) -> None:
    cut(whole, NODES, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    cut(whole, NODES, tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}


def test_a_folder_of_other_data_is_not_touched(whole: Prepared, tmp_path: Path) -> None:
    cut(whole, NODES, tmp_path)
    with pytest.raises(InputError, match="node-0 holds a part of different data"):
        cut(whole, 2, tmp_path)
    with pytest.raises(InputError, match="there are only 7 clients"):
        cut(whole, 8, tmp_path / "more")


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}


def test_nobody_else_can_enter_what_is_written(
    whole: Prepared, quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict_umask: None
) -> None:
    cut(whole, NODES, tmp_path / "parts")
    monkeypatch.setenv("HOTHOUSE_CACHE", str(tmp_path / "cache"))
    prepare(load_scenario(quickstart))
    for folder in (tmp_path / "parts", tmp_path / "cache"):
        assert modes(folder) <= {0o700, 0o600}


def test_new_folders_of_rows_are_their_owners_whatever_the_umask(
    whole: Prepared, quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = cut(whole, NODES, tmp_path / "parts")
    monkeypatch.setenv("HOTHOUSE_CACHE", str(tmp_path / "cache"))
    prepare(load_scenario(quickstart))
    assert {folder.stat().st_mode & 0o777 for folder in [*folders, tmp_path / "cache"]} == {0o700}


@pytest.mark.parametrize("name", ["x.npy", "y.npy", "shards.npy", "meta.json", "sums.json"])
def test_a_part_that_was_changed_is_noticed_by_its_host(quickstart: Path, tmp_path: Path, name: str) -> None:
    chosen = load_scenario(quickstart, ["data.partition.clients=7", "federation.clients_per_round=1.0"])
    server, *nodes = cut(prepare(chosen), NODES, tmp_path)
    if name.endswith(".npy"):
        rows = np.load(nodes[1] / name)
        np.save(nodes[1] / name, rows[::-1])
    elif name == "meta.json":
        (nodes[1] / name).write_text((nodes[1] / name).read_text().replace("standardize", "none") + " ")
    else:
        (nodes[1] / name).write_text("{}")
    grid = LocalGrid("clients.app:app", [{"data-dir": str(folder)} for folder in nodes], {})
    with pytest.raises(RunError, match=rf"node-1/{name}: not what `hothouse cut` wrote"):
        Rounds(grid, chosen, open_prepared(server, chosen), [])
    with pytest.raises(InputError, match="cut the data again"):
        cut(prepare(chosen), NODES, tmp_path)


def test_the_servers_part_is_checked_too(quickstart: Path, tmp_path: Path) -> None:
    chosen = load_scenario(quickstart)
    server, *_ = cut(prepare(chosen), NODES, tmp_path)
    np.save(server / "y.npy", np.load(server / "y.npy") * 0)
    with pytest.raises(InputError, match=r"server/y\.npy: not what `hothouse cut` wrote"):
        open_prepared(server, chosen)
