"""RayGrid on real Ray actors: work is spread, deaths are survived, nothing sleeps."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict

from common.arrays import pack, unpack
from server.grid.ray import RayGrid

pytestmark = pytest.mark.usefixtures("two_workers")


@pytest.fixture
def echo() -> Iterator[RayGrid]:
    grid = RayGrid("tests.apps:echo", [{"place": "a"}, {"place": "b"}], {}, workers=2)
    yield grid
    grid.close()


@pytest.fixture
def trouble() -> Iterator[RayGrid]:
    grid = RayGrid("tests.apps:trouble", [{}], {}, workers=2)
    yield grid
    grid.close()


def ask(grid: RayGrid, **config: Any) -> Message:
    return Message(RecordDict({"config": ConfigRecord(config)}), grid.get_node_ids()[0], "query")


def answer(reply: Message) -> ConfigRecord:
    return reply.content.config_records["config"]


def test_every_message_is_answered_for_its_own_node(echo: RayGrid) -> None:
    first, second = echo.get_node_ids()
    sent = [Message(RecordDict({"x": ConfigRecord({"n": n})}), (first, second)[n % 2], "query") for n in range(10)]
    replies = echo.send_and_receive(sent)
    assert sorted(int(reply.content.config_records["x"]["n"]) for reply in replies) == list(range(10))  # type: ignore[arg-type]
    for reply in replies:
        odd = int(reply.content.config_records["x"]["n"]) % 2  # type: ignore[arg-type]
        assert reply.content.config_records["node"]["place"] == "ab"[odd]
        assert reply.metadata.src_node_id == (first, second)[odd]
    assert len({reply.content.config_records["node"]["pid"] for reply in replies}) == 2


@pytest.mark.parametrize("size", [10, 100_000])
def test_records_that_messages_share_arrive_whole(echo: RayGrid, size: int) -> None:
    weights = pack({"w": np.arange(size, dtype=np.float32)})
    sent = [Message(RecordDict({"w": weights, "own": pack({"n": np.array([n])})}), 2, "query") for n in range(4)]
    for reply in echo.send_and_receive(sent):
        records = reply.content.array_records
        assert np.array_equal(unpack(records["w"])["w"], np.arange(size, dtype=np.float32))
    assert all(isinstance(message.content["w"], ArrayRecord) for message in sent), "what was pushed is untouched"


def test_replies_are_taken_as_they_come(trouble: RayGrid) -> None:
    slow, fast = trouble.push_messages([ask(trouble, sleep=2.0), ask(trouble)])
    assert [reply.metadata.reply_to_message_id for reply in trouble.wait([slow, fast])] == [fast]
    assert trouble.pull_messages([slow, fast]) == []
    assert trouble.wait([slow], timeout=0.01) == []
    assert [reply.metadata.reply_to_message_id for reply in trouble.wait([slow])] == [slow]


def test_an_app_that_raises_is_answered_with_its_error(trouble: RayGrid) -> None:
    bad, good = trouble.send_and_receive([ask(trouble, **{"raise": "no such row"}), ask(trouble)])
    if not bad.has_error():
        bad, good = good, bad
    assert bad.error.reason is not None
    assert bad.error.reason.startswith("ValueError: no such row")
    assert good.has_content()


def test_a_message_whose_actor_dies_is_answered_by_another(trouble: RayGrid, tmp_path: Path) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    trouble.listen(lambda event, details: events.append((event, details)))
    sent = [ask(trouble), ask(trouble, deaths=2, marks=str(tmp_path)), ask(trouble)]
    assert [reply.has_content() for reply in trouble.send_and_receive(sent)] == [True, True, True]
    assert [(event, details["try"]) for event, details in events] == [("retry", 1), ("retry", 2)]


def test_a_message_that_kills_every_actor_is_given_up(trouble: RayGrid, tmp_path: Path) -> None:
    replies = trouble.send_and_receive([ask(trouble, deaths=99, marks=str(tmp_path)), ask(trouble)])
    reasons = [reply.error.reason or "" for reply in replies if reply.has_error()]
    assert len(reasons) == 1
    assert reasons[0].startswith("its worker died 3 times")
    assert trouble.send_and_receive([ask(trouble), ask(trouble)])[0].has_content()


def test_actors_killed_while_idle_are_replaced(trouble: RayGrid) -> None:
    for reply in trouble.send_and_receive([ask(trouble, sleep=0.2), ask(trouble, sleep=0.2)]):
        os.kill(int(answer(reply)["pid"]), signal.SIGKILL)  # type: ignore[arg-type]
    assert all(reply.has_content() for reply in trouble.send_and_receive([ask(trouble) for _ in range(4)]))


def test_a_round_trip_waits_for_nothing(echo: RayGrid) -> None:
    def messages() -> list[Message]:
        return [Message(RecordDict(), node, "query") for node in echo.get_node_ids()]

    echo.send_and_receive(messages())
    times = []
    for _ in range(20):
        started = time.perf_counter()
        echo.send_and_receive(messages())
        times.append(time.perf_counter() - started)
    # Flower's own engine polls every 100 ms; a machine under load is still far below that.
    assert np.median(times) < 0.05


def test_a_message_to_nobody_is_refused(echo: RayGrid) -> None:
    with pytest.raises(ValueError, match="no node 77"):
        echo.push_messages([Message(RecordDict(), 77, "query")])
