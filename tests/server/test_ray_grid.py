"""RayGrid on real Ray actors: work is spread, deaths are survived, nothing sleeps."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from numpy.typing import NDArray
from ray.exceptions import GetTimeoutError

from common.arrays import pack, unpack
from common.errors import RunError
from common.extend.events import Event, Events, Notice
from server.grid.ray import RayGrid
from server.grid.shared_buffers import SharedBuffer
from server.grid.socket_pool import SocketPool
from tests.processes import kill, until, workers

pytestmark = pytest.mark.usefixtures("two_workers")


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_reach(monkeypatch)


@pytest.fixture
def near() -> Iterator[RayGrid]:
    """An echo on this machine."""
    with running("tests.apps:echo", "lines") as echo:
        yield echo


@pytest.fixture(params=["lines", "calls"])
def trouble(request: pytest.FixtureRequest) -> Iterator[RayGrid]:
    with running("tests.apps:trouble", request.param) as trouble:
        yield trouble


@contextlib.contextmanager
def running(client_app: str, way: str) -> Iterator[RayGrid]:
    """Two workers, asked by lines or by Ray's calls: either way is the same to who asks."""
    with pytest.MonkeyPatch.context() as patch:
        if way == "calls":
            out_of_reach(patch)
        grid = RayGrid(client_app, [{"place": "a"}, {"place": "b"}], {}, workers=2)
    yield grid
    grid.close()


def out_of_reach(patch: pytest.MonkeyPatch) -> None:
    """Workers are asked by Ray's calls, as if they were on other machines."""
    patch.setattr("server.grid.ray.is_local", lambda workers: False)


def ask(grid: RayGrid, **config: Any) -> Message:
    return Message(RecordDict({"config": ConfigRecord(config)}), grid.get_node_ids()[0], "query")


def answer(reply: Message) -> ConfigRecord:
    return reply.content.config_records["config"]


class TestHoweverWorkersAreAsked:
    @pytest.fixture(scope="class", params=["lines", "calls"])
    @classmethod
    def echo(cls, request: pytest.FixtureRequest, two_workers: None) -> Iterator[RayGrid]:
        with running("tests.apps:echo", request.param) as echo:
            yield echo

    def test_every_message_is_answered_for_its_own_node(self, echo: RayGrid) -> None:
        first, second = echo.get_node_ids()
        sent = [Message(RecordDict({"x": ConfigRecord({"n": n})}), (first, second)[n % 2], "query") for n in range(10)]
        replies = echo.send_and_receive(sent)
        assert sorted(int(reply.content.config_records["x"]["n"]) for reply in replies) == list(range(10))  # type: ignore[arg-type]
        for reply in replies:
            odd = int(reply.content.config_records["x"]["n"]) % 2  # type: ignore[arg-type]
            assert reply.content.config_records["node"]["place"] == "ab"[odd]
            assert reply.metadata.src_node_id == (first, second)[odd]

    def test_work_is_shared_by_all_workers_that_are_up(self, echo: RayGrid) -> None:
        def shared() -> bool:
            sent = [Message(RecordDict(), node, "query") for node in echo.get_node_ids() * 5]
            replies = echo.send_and_receive(sent)
            return len({reply.content.config_records["node"]["pid"] for reply in replies}) == 2

        until(shared, 30)

    @pytest.mark.parametrize("size", [10, 100_000])
    def test_records_that_messages_share_arrive_whole(self, echo: RayGrid, size: int) -> None:
        weights = pack({"w": np.arange(size, dtype=np.float32)})
        sent = [Message(RecordDict({"w": weights, "own": pack({"n": np.array([n])})}), 2, "query") for n in range(4)]
        for reply in echo.send_and_receive(sent):
            records = reply.content.array_records
            assert np.array_equal(unpack(records["w"])["w"], np.arange(size, dtype=np.float32))
        assert all(isinstance(message.content["w"], ArrayRecord) for message in sent), "what was pushed is untouched"

    @pytest.mark.bench
    def test_a_round_trip_waits_for_nothing(self, echo: RayGrid) -> None:
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

    def test_a_message_to_nobody_is_refused(self, echo: RayGrid) -> None:
        with pytest.raises(ValueError, match="no node 77"):
            echo.push_messages([Message(RecordDict(), 77, "query")])


def weighing(number: float, node: int = 2) -> Message:
    """A message with a megabyte of this number."""
    return Message(RecordDict({"w": pack({"w": np.full(250_000, number, np.float32)})}), node, "query")


def weights(reply: Message) -> NDArray[np.float32]:
    # Not by `array_records`, whose dictionaries hold on to the reply until garbage is collected.
    record = reply.content["w"]
    assert isinstance(record, ArrayRecord)
    return unpack(record)["w"]


def buffers() -> list[int]:
    """How many bytes of memory each buffer takes that this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        # Other threads close files meanwhile, Ray's among them.
        with contextlib.suppress(FileNotFoundError):
            if "hothouse-buffer" in str(link.readlink()):
                found.append(512 * link.stat().st_blocks)
    return found


@pytest.mark.slow
def test_a_reply_stays_what_it_was_whatever_comes_after_it(near: RayGrid) -> None:
    kept = []
    for number in range(12):
        (reply,) = near.send_and_receive([weighing(number)])
        kept.append(weights(reply)[1000:])
    assert [float(some.min()) for some in kept] == [float(some.max()) for some in kept] == list(range(12))


@pytest.mark.slow
def test_memory_is_used_again_once_nobody_looks_at_it(near: RayGrid) -> None:
    gc.collect()
    for number in range(30):
        for reply in near.send_and_receive([weighing(number), weighing(number, node=3)]):
            assert (weights(reply) == number).all()
            del reply
    assert len(buffers()) <= 4, "two for each worker"
    for _ in range(2):
        large = Message(RecordDict({"w": pack({"w": np.ones(25_000_000, np.float32)})}), 2, "query")
        (reply,) = near.send_and_receive([large])
        assert weights(reply).sum() == 25_000_000
        del reply
    assert sum(buffers()) < 50_000_000, "what a hundred megabytes took is given back"
    near.close()
    assert buffers() == []


def test_what_is_large_goes_past_ray_and_the_line(near: RayGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "put", None)
    monkeypatch.setattr(ray, "get", None)
    shared, got = pack({"w": np.arange(500_000, dtype=np.float32)}), SocketPool.answer
    seen: list[int] = []
    monkeypatch.setattr(
        SocketPool, "answer", lambda *told: seen.append(len(pickle.dumps(found := got(*told)))) or found
    )
    for reply in near.send_and_receive([Message(RecordDict({"w": shared}), node, "query") for node in (2, 3)]):
        assert np.array_equal(weights(reply), np.arange(500_000))
    monkeypatch.undo()
    assert len(seen) >= 2
    assert max(seen) < 10_000, "bytes that came by the line"


class Hidden(SharedBuffer):
    """A buffer whose place leads nowhere."""

    @classmethod
    def new(cls) -> SharedBuffer:
        buffer = super().new()
        return cls(buffer.place._replace(process=2**22 + 1), buffer.memory)

    def close(self) -> None:
        SharedBuffer(self.place._replace(process=os.getpid()), self.memory).close()


@pytest.mark.faults
def test_workers_that_cannot_open_a_buffer_do_without(near: RayGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr("server.grid.shared_buffers.SharedBuffer", Hidden)
    shared = pack({"w": np.arange(500_000, dtype=np.float32)})
    for _ in range(3):
        for reply in near.send_and_receive([Message(RecordDict({"w": shared}), node, "query") for node in (2, 3)]):
            assert np.array_equal(weights(reply), np.arange(500_000))
    assert buffers() == []


@pytest.mark.slow
@pytest.mark.usefixtures("far")
def test_what_messages_to_other_machines_share_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    put, stored = ray.put, list[Any]()
    monkeypatch.setattr(ray, "put", lambda thing: stored.append(thing) or put(thing))
    grid, shared = (
        RayGrid("tests.apps:echo", [{}, {}], {}, workers=2),
        pack({"w": np.arange(500_000, dtype=np.float32)}),
    )
    for _ in range(3):
        for reply in grid.send_and_receive([Message(RecordDict({"w": shared}), node, "query") for node in (2, 3)]):
            assert np.array_equal(weights(reply), np.arange(500_000))
    grid.close()
    assert len(stored) == 3, "once a round"


@pytest.mark.slow
def test_nobody_elses_processes_are_listened_to(near: RayGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    near.send_and_receive([Message(RecordDict(), node, "query") for node in (2, 3)])
    monkeypatch.setattr("server.grid.socket_pool.os.getuid", lambda: os.geteuid() + 1)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(30)
        stranger.connect(near._pool._address)  # type: ignore[attr-defined]
        near.send_and_receive([Message(RecordDict(), 2, "query")])
        assert stranger.recv(1) == b"", "they are hung up on"


@pytest.mark.faults
def test_replies_are_taken_as_they_come(trouble: RayGrid, tmp_path: Path) -> None:
    slow, fast = trouble.push_messages([ask(trouble, until=str(tmp_path / "go")), ask(trouble)])
    assert [reply.metadata.reply_to_message_id for reply in trouble.wait([slow, fast])] == [fast]
    assert trouble.pull_messages([slow, fast]) == []
    assert trouble.wait([slow], timeout=0.01) == []
    (tmp_path / "go").touch()
    assert [reply.metadata.reply_to_message_id for reply in trouble.wait([slow])] == [slow]


def test_an_app_that_raises_is_answered_with_its_error(trouble: RayGrid) -> None:
    bad, good = trouble.send_and_receive([ask(trouble, **{"raise": "no such row"}), ask(trouble)])
    if not bad.has_error():
        bad, good = good, bad
    assert bad.error.reason is not None
    assert bad.error.reason.startswith("ValueError: no such row")
    assert good.has_content()


@pytest.mark.faults
def test_a_message_whose_actor_dies_is_answered_by_another(trouble: RayGrid, tmp_path: Path) -> None:
    events: list[Event] = []
    trouble.events = Events(events.append)
    sent = [ask(trouble), ask(trouble, deaths=2, marks=str(tmp_path)), ask(trouble)]
    assert [reply.has_content() for reply in trouble.send_and_receive(sent)] == [True, True, True]
    notices = [event for event in events if isinstance(event, Notice)]
    assert [(notice.name, notice.details["try"]) for notice in notices] == [("retry", 1), ("retry", 2)]


@pytest.mark.faults
def test_a_worker_that_dies_leaves_no_buffer(trouble: RayGrid, tmp_path: Path) -> None:
    gc.collect()
    (reply,) = trouble.send_and_receive([ask(trouble, deaths=1, marks=str(tmp_path))])
    assert not reply.has_error()
    trouble.close()
    gc.collect()
    assert buffers() == []


@pytest.mark.faults
def test_a_worker_of_whose_death_ray_does_not_hear_is_dead_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def late(reference: Any, timeout: float | None = None) -> Any:
        raise GetTimeoutError

    grid = RayGrid("tests.apps:trouble", [{}], {}, workers=1)
    monkeypatch.setattr(ray, "get", late)
    (reply,) = grid.send_and_receive([ask(grid, deaths=1, marks=str(tmp_path))])
    grid.close()
    assert reply.has_content()


@pytest.mark.faults
def test_a_message_that_kills_every_actor_is_given_up(trouble: RayGrid, tmp_path: Path) -> None:
    replies = trouble.send_and_receive([ask(trouble, deaths=99, marks=str(tmp_path)), ask(trouble)])
    reasons = [reply.error.reason or "" for reply in replies if reply.has_error()]
    assert len(reasons) == 1
    assert reasons[0].startswith("its worker died 3 times")
    assert trouble.send_and_receive([ask(trouble), ask(trouble)])[0].has_content()


@pytest.mark.faults
def test_a_question_that_cannot_be_read_costs_no_worker(trouble: RayGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = trouble.send_and_receive([ask(trouble)])
    with monkeypatch.context() as once:
        once.setattr("server.grid.codec.to_packet", lambda thing: b"no pickle")
        replies = trouble.send_and_receive([ask(trouble), ask(trouble)])
    assert ["UnpicklingError" in (reply.error.reason or "") for reply in replies] == [True, True]
    after = trouble.send_and_receive([ask(trouble, sleep=0.2), ask(trouble, sleep=0.2)])
    assert answer(before)["pid"] in [answer(reply)["pid"] for reply in after]


@pytest.mark.faults
def test_actors_killed_while_idle_are_replaced(trouble: RayGrid) -> None:
    for reply in trouble.send_and_receive([ask(trouble, sleep=0.2), ask(trouble, sleep=0.2)]):
        os.kill(int(answer(reply)["pid"]), signal.SIGKILL)  # type: ignore[arg-type]
    assert all(reply.has_content() for reply in trouble.send_and_receive([ask(trouble) for _ in range(4)]))


class Dying:
    """A Ray that hangs up at one call of one of its functions, and is seen dead a little later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, function: str, mends: bool = True) -> None:
        self._mends, self._looks, self.restarts = mends, 0, 0
        real = getattr(ray, function)

        def hangs_up(*arguments: Any, **options: Any) -> Any:
            monkeypatch.setattr(ray, function, real)
            self._looks = 3
            raise ConnectionResetError(104, "Connection reset by peer")

        self.hang_up = lambda: monkeypatch.setattr(ray, function, hangs_up)

    def alive(self) -> bool:
        self._looks -= 1
        return self._looks != 0 or not self._mends

    def restart(self) -> None:
        self.restarts += 1
        # Its actors die with a Ray; they would have no processor to leave to those that come.
        for worker in workers():
            kill(worker)
        until(lambda: not workers())


@pytest.mark.faults
@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("function", ["wait", "get", "put"])
def test_a_ray_that_hangs_up_in_the_middle_of_a_call_is_started_again(
    monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    session = Dying(monkeypatch, function)
    grid = RayGrid("tests.apps:echo", [{}], {}, workers=2, session=session)
    weights = pack({"w": np.arange(100_000, dtype=np.float32)})
    (node,) = grid.get_node_ids()
    sent = [Message(RecordDict({"w": weights, "x": ConfigRecord({"n": n})}), node, "query") for n in range(4)]
    session.hang_up()
    replies = grid.send_and_receive(sent)
    grid.close()
    assert sorted(int(reply.content.config_records["x"]["n"]) for reply in replies) == [0, 1, 2, 3]  # type: ignore[arg-type]
    assert session.restarts == 1


@pytest.mark.faults
def test_a_ray_that_cannot_tell_why_a_worker_died_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = Dying(monkeypatch, "get")
    grid = RayGrid("tests.apps:trouble", [{}], {}, workers=2, session=session)
    session.hang_up()
    (reply,) = grid.send_and_receive([ask(grid, deaths=1, marks=str(tmp_path))])
    grid.close()
    assert reply.has_content()
    assert session.restarts == 1


@pytest.mark.faults
@pytest.mark.usefixtures("far")
def test_a_ray_that_hangs_up_but_lives_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.grid.ray._DYING_SECONDS", 0.1)
    session = Dying(monkeypatch, "wait", mends=False)
    grid = RayGrid("tests.apps:echo", [{}], {}, workers=1, session=session)
    session.hang_up()
    with pytest.raises(
        RunError, match=r"Ray stopped responding: .*Connection reset by peer; hothouse resume continues the run"
    ):
        grid.send_and_receive([ask(grid)])
    grid.close()
