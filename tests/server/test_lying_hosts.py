"""What hosts say of themselves before round 1 is checked against the server's data: lies and mix-ups are named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict

from common import messages
from common.arrays import pack
from common.data import Prepared, prepare
from common.data.cut import cut
from common.errors import RunError
from common.scenario import Scenario, load_scenario
from server.grid.local import LocalGrid
from server.rounds import Rounds
from tests.federations import Watcher

CLIENTS, NODES = 8, 4
Lie = Callable[[RecordDict], None]


def tables(**data: Any) -> Scenario:
    source = {"source": {"kind": "sklearn", "name": "wine"}, "test_fraction": 0.2}
    partition = {"partition": {"scheme": "iid", "clients": CLIENTS}}
    return load_scenario({"data": source | partition | data, "model": {"layers": [4]}, "federation": {"rounds": 1}})


@pytest.fixture(scope="module")
def chosen() -> Scenario:
    return tables()


@pytest.fixture(scope="module")
def prepared(chosen: Scenario) -> Prepared:
    return prepare(chosen)


@pytest.fixture(scope="module")
def parts(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts")
    cut(prepared, NODES, out)
    return out


def hosts(*folders: Path) -> LocalGrid:
    return LocalGrid("clients.app:app", [{"data-dir": str(folder)} for folder in folders], {})


def everyone(parts: Path) -> list[Path]:
    return [parts / f"node-{node}" for node in range(NODES)]


class LyingGrid(LocalGrid):
    """Nodes with their parts; the last one changes its replies to one kind of message."""

    def __init__(self, parts: Path, kind: str, lie: Lie) -> None:
        super().__init__("clients.app:app", [{"data-dir": str(folder)} for folder in everyone(parts)], {})
        self._kind, self._lie, self.liar = kind, lie, self.get_node_ids()[-1]

    def wait(self, message_ids: Any, timeout: float | None = None) -> list[Message]:
        replies = super().wait(message_ids, timeout)
        for reply in replies:
            if (reply.metadata.src_node_id, reply.metadata.message_type) == (self.liar, self._kind):
                self._lie(reply.content)
        return replies


def refusal(grid: LocalGrid, chosen: Scenario, own: Prepared) -> str:
    with pytest.raises(RunError) as caught:
        Rounds(grid, chosen, own, [])
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def meta(**changes: Any) -> Lie:
    def lie(content: RecordDict) -> None:
        told = json.loads(str(content.config_records["meta"]["json"]))
        content["meta"] = ConfigRecord({"json": json.dumps({**told, **changes}), "compiled": False, "card": ""})

    return lie


def numbers(**changes: list[int]) -> Lie:
    def lie(content: RecordDict) -> None:
        content["arrays"] = ArrayRecord(
            {**content.array_records["arrays"], **pack({name: np.array(given) for name, given in changes.items()})}
        )

    return lie


LIES = [
    (
        meta(labels=[f"class_{n}" for n in range(300_000)]),
        "has other labels than the server: 300000 and 3, first 'class_3' in place of None",
    ),
    (meta(labels=[2, 1, 0]), "has other labels than the server: 3 and 3, first 2 in place of 'class_0'"),
    (meta(labels=["x" * 10**6, 1, 2]), "has other labels than the server"),
    (meta(columns=[]), "has other columns than the server: 0 and 13"),
    (meta(key=""), None),
    (meta(key="f" * 24), "has data from another cut than the server"),
    (meta(targets=3), "has incompatible data: its targets is 3, the server's 0"),
    (meta(row_shape=[10**6]), "has incompatible data: its row_shape is [1000000], the server's [13]"),
    (numbers(clients=[3, 8], training=[1, 1], holdout=[0, 0]), "it has client 8; the data has 8 clients"),
    (numbers(clients=[3, 3], training=[1, 1], holdout=[0, 0]), "it lists a client twice"),
    (numbers(clients=[3, -1], training=[1, 1], holdout=[0, 0]), "its clients go down to -1"),
    (numbers(clients=[2, 7], training=[1, 1], holdout=[0, 0]), "client 2 is on more than one node: "),
]


@pytest.mark.parametrize(("lie", "message"), LIES, ids=range(len(LIES)))
def test_what_a_node_says_of_itself_sizes_nothing(
    chosen: Scenario, prepared: Prepared, parts: Path, lie: Lie, message: str | None
) -> None:
    grid = LyingGrid(parts, messages.HOSTING, lie)
    if message is None:
        Rounds(grid, chosen, prepared, [])
        return
    told = refusal(grid, chosen, prepared)
    assert message in told
    assert f"{grid.liar}" in told


def test_two_nodes_with_the_same_folder_are_refused_and_named(
    chosen: Scenario, prepared: Prepared, parts: Path
) -> None:
    grid = hosts(parts / "node-0", parts / "node-0")
    told = refusal(grid, chosen, Prepared(parts / "server"))
    assert told.startswith("client 0 is on more than one node: ")
    assert all(str(node) in told for node in grid.get_node_ids())
    assert "client 1 is on more" in refusal(hosts(*everyone(parts), parts / "node-1"), chosen, prepared)


def test_clients_that_live_nowhere_are_named(chosen: Scenario, parts: Path) -> None:
    watcher = Watcher()
    Rounds(hosts(*everyone(parts)[:-1]), chosen, Prepared(parts / "server"), [watcher]).run()
    ((event, told),) = watcher.events
    assert (event, told["clients"]) == ("missing", [3, 7])
    assert watcher.rounds[-1]["clients"] == CLIENTS - 2


def test_nodes_that_all_have_the_whole_share_it(chosen: Scenario, prepared: Prepared) -> None:
    watcher = Watcher()
    Rounds(hosts(prepared.folder, prepared.folder), chosen, prepared, [watcher]).run()
    assert watcher.events == []
    assert watcher.rounds[-1]["clients"] == CLIENTS


def moments(**changes: Any) -> Lie:
    def lie(content: RecordDict) -> None:
        content["moments"] = ArrayRecord({**content.array_records["moments"], **pack(changes)})

    return lie


def counts(told: Any) -> Lie:
    def lie(content: RecordDict) -> None:
        content["terms"] = ConfigRecord({"json": json.dumps(told)})

    return lie


def nothing(content: RecordDict) -> None:
    content.clear()


SUMS = [
    (moments(total=np.full((2, 13), np.nan)), "infinite or not a number"),
    (moments(spread=np.full((2, 13), -1.0)), "sums that are negative"),
    (moments(count=np.full((2, 13), 1e12)), "counts that are negative or more than there are examples"),
    (moments(total=np.zeros((2, 99))), "sums over"),
    (nothing, "KeyError"),
]


@pytest.mark.parametrize(("lie", "message"), SUMS, ids=range(len(SUMS)))
def test_sums_that_cannot_be_are_refused_and_their_clients_named(
    chosen: Scenario, prepared: Prepared, parts: Path, lie: Lie, message: str
) -> None:
    told = refusal(LyingGrid(parts, messages.MOMENTS, lie), chosen, prepared)
    assert told.startswith("the columns' scaling could not be agreed with the host of clients 3, 7: a reply is refused")
    assert message in told


@pytest.mark.parametrize("told", [[], [{"a": -1}, {}], [{"a": 0.5}, {}], {"a": 1}, [1, 2], "x"], ids=range(6))
def test_counts_that_cannot_be_are_refused(tmp_path: Path, told: Any) -> None:
    (tmp_path / "t.tsv").write_text("".join(f"{'ab'[n % 2]}\tword{n % 5} more\n" for n in range(40)))
    source = {"kind": "text", "path": str(tmp_path / "t.tsv")}
    chosen = tables(source=source, text={"features": "bag", "width": 8}, test_fraction=0.0)
    own = prepare(chosen)
    cut(own, NODES, tmp_path)
    assert "the vocabulary could not be agreed" in refusal(
        LyingGrid(tmp_path, messages.TERMS, counts(told)), chosen, own
    )
    Rounds(LyingGrid(tmp_path, messages.TERMS, counts([Counter(more=1), Counter()])), chosen, own, [])
