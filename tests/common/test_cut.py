"""Cut for a deployment, each part holds its own clients' rows and no others, and all parts together everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.data import Prepared, prepare
from common.data.cut import cut
from common.errors import InputError
from common.scenario import load_scenario

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
            for rows_of in (Prepared.training_rows, Prepared.holdout_rows):
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
    rows, before = first.training_rows(2), whole.training_rows(2)
    assert [first.texts[row] for row in rows.tolist()] == [whole.texts[row] for row in before.tolist()]


def test_what_is_there_already_stays(whole: Prepared, tmp_path: Path) -> None:
    cut(whole, NODES, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    cut(whole, NODES, tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}


def test_a_folder_of_other_data_is_not_touched(whole: Prepared, tmp_path: Path) -> None:
    cut(whole, NODES, tmp_path)
    with pytest.raises(InputError, match="node-0 holds a part of other data"):
        cut(whole, 2, tmp_path)
    with pytest.raises(InputError, match="there are only 7 clients"):
        cut(whole, 8, tmp_path / "more")
