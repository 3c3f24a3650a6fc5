"""A grid that several threads use: every thread gets its own replies, each once, and hears of failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

import pytest
from flwr.app import Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from common.errors import RunError
from server.grid.local import LocalGrid
from server.grid.shared import SharedGrid

NODES = 4
app = ClientApp()


@app.train()
def train(message: Message, context: object) -> Message:
    """Tell back what came."""
    return Message(RecordDict({"m": MetricRecord(dict(message.content.metric_records["m"]))}), reply_to=message)


def local() -> LocalGrid:
    return LocalGrid("tests.server.test_shared_grid:app", [{"partition-id": n} for n in range(NODES)], {})


@pytest.fixture
def grid() -> Iterator[SharedGrid]:
    shared = SharedGrid(local())
    yield shared
    shared.close()


def question(node: int, number: int) -> Message:
    return Message(RecordDict({"m": MetricRecord({"number": number})}), node, "train")


def numbers(replies: Iterable[Message]) -> list[int]:
    return sorted(int(reply.content.metric_records["m"]["number"]) for reply in replies)  # type: ignore[arg-type]


def test_each_thread_gets_its_own_replies(grid: SharedGrid) -> None:
    found: dict[int, list[list[int]]] = {}

    def ask(thread: int) -> None:
        asked = [[thread * 1000 + turn * 10 + node for node in range(NODES)] for turn in range(20)]
        nodes = grid.get_node_ids()
        found[thread] = [
            numbers(grid.send_and_receive([question(node, n) for node, n in zip(nodes, turn, strict=True)]))
            for turn in asked
        ]
        assert found[thread] == asked

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6


def test_replies_are_pulled_once_by_whoever_knows_their_ids(grid: SharedGrid) -> None:
    ids = grid.push_messages([question(grid.get_node_ids()[0], n) for n in range(3)])
    pulled: list[Message] = []
    while len(pulled) < 2:
        pulled += grid.pull_messages(ids[:2])
        time.sleep(0.001)
    assert numbers(pulled) == [0, 1]
    assert grid.pull_messages(ids[:2]) == []


def test_a_mistake_is_told_to_whoever_made_it_and_nobody_else(grid: SharedGrid) -> None:
    with pytest.raises(ValueError, match="no node 99"):
        grid.push_messages([question(99, 1)])
    assert numbers(grid.send_and_receive([question(grid.get_node_ids()[0], 7)])) == [7]


def test_a_failure_reaches_every_thread_that_waits() -> None:
    class Failing(LocalGrid):
        def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
            raise RunError("the grid is gone")

    shared = SharedGrid(Failing("tests.server.test_shared_grid:app", [{}], {}))
    for _ in range(2):
        with pytest.raises(RunError, match="the grid is gone"):
            shared.send_and_receive([question(shared.get_node_ids()[0], 1)])
    with pytest.raises(RunError, match="the grid is gone"):
        shared.pull_messages(["1"])
    shared.close()
