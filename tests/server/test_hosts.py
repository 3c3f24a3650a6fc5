"""Grids of Flower's own are polled, and what clients keep stays on their hosts: the same bits as on grids of ours."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Error, Message
from flwr.common.constant import ErrorCode

from common.data import Prepared, prepare
from common.data.cut import cut
from common.errors import RunError
from common.messages import STATES
from common.scenario import Scenario, load_scenario
from server.grid.local import LocalGrid
from server.grid.polled import PolledGrid
from server.record.checkpoints import Checkpoints
from server.record.resume import Resumed, about, resume
from server.rounds import Rounds
from tests.federations import Watcher
from tests.resuming import TIMES
from tests.strategies import every_strategy, sampled

HOSTS = 3
_RUNS = itertools.count(100)
"""Runs of their own: what clients keep is kept by the run."""
SMALL = [
    "data.partition.clients=7",
    "data.client_holdout=0.2",
    "training.epochs=1",
    "federation.rounds=2",
    "federation.clients_per_round=5",
    "model.layers=[8]",
]


class ForeignGrid(LocalGrid):
    """A grid that keeps nothing for clients, as Flower's own ones do not."""

    def _with_states(self, message: Message) -> Message:
        return message


class FaultyGrid(ForeignGrid):
    """A grid on which one node is away in some rounds, or answers what it was asked in one round in a later one."""

    def __init__(self, parts: Path, node: int, away: Collection[int] = (), held: tuple[int, int] = (0, 0)) -> None:
        super().__init__("clients.app:app", hosts(parts), {}, run_id=next(_RUNS))
        self._node, self._away, self._held = self.get_node_ids()[node], away, held
        self._lost: set[str] = set()
        self._kept: set[str] = set()

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        batch = list(messages)
        ids = super().push_messages(batch)
        for message_id, message in zip(ids, batch, strict=True):
            if message.metadata.message_type != "train":
                continue
            number = int(message.content.config_records["config"]["round"])  # type: ignore[arg-type]
            if number >= self._held[1]:
                self._kept.clear()
            if message.metadata.dst_node_id == self._node:
                self._lost |= {message_id} if number in self._away else set()
                self._kept |= {message_id} if number == self._held[0] else set()
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        for message in list(self._waiting):
            if message.metadata.message_id in self._lost & set(message_ids):
                self._waiting.remove(message)
                return [Message(Error(ErrorCode.NODE_UNAVAILABLE, "the node is away"), reply_to=message)]
        return super().pull_messages(set(message_ids) - self._kept)


def hosts(parts: Path) -> list[dict[str, Any]]:
    return [{"data-dir": str(parts / f"node-{host}")} for host in range(HOSTS)]


def ran(
    grid: LocalGrid,
    chosen: Scenario,
    own: Prepared,
    checkpoints: Checkpoints | None = None,
    resumed: Resumed | None = None,
) -> Watcher:
    watcher = Watcher()
    carrier = PolledGrid(grid, HOSTS) if isinstance(grid, ForeignGrid) else grid
    Rounds(carrier, chosen, own, [watcher], checkpoints, resumed).run()
    return watcher


def assert_same(one: Watcher, other: Watcher, but: tuple[str, ...] = ()) -> None:
    """The same model to the bit, and the same numbers of every round but those whose name begins so."""
    ours, theirs = one.model.network.state_dict(), other.model.network.state_dict()
    assert all(np.array_equal(ours[name].numpy(), theirs[name].numpy()) for name in ours)
    for mine, its in zip(one.rounds, other.rounds, strict=True):
        for name in [name for name in mine if name not in TIMES and not name.startswith(but)]:
            assert mine[name] == its[name] or mine[name] != mine[name], name


@pytest.fixture(scope="module")
def parts(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts")
    cut(prepare(load_scenario(quickstart, SMALL)), HOSTS, out)
    return out


@pytest.mark.parametrize(
    "strategy",
    sampled(
        [name for name in every_strategy() if name != "centralized"],
        *("fedavg", "krum", "scaffold", "fedper", "competition population"),
    ),
)
def test_every_strategy_gives_the_same_bits(quickstart: Path, parts: Path, strategy: str) -> None:
    chosen = load_scenario(quickstart, [*SMALL, *every_strategy()[strategy]])
    own = Prepared(parts / "server")
    on_hosts = ran(ForeignGrid("clients.app:app", hosts(parts), {}), chosen, own)
    assert_same(on_hosts, ran(LocalGrid("clients.app:app", hosts(parts), {}), chosen, own))
    assert [event for event in on_hosts.events if event[0] in ("excluded", "not measured")] == []


@pytest.mark.parametrize("strategy", ["fedavg", "scaffold", "ditto"])
def test_a_run_goes_on_with_what_clients_kept(quickstart: Path, parts: Path, tmp_path: Path, strategy: str) -> None:
    extra = ["training.optimizer_state=client", f"federation.strategy={strategy}"]
    chosen = load_scenario(quickstart, [*SMALL, *extra, "federation.rounds=3"])
    own = Prepared(parts / "server")
    straight = ran(ForeignGrid("clients.app:app", hosts(parts), {}, run_id=11), chosen, own)
    checkpoints = Checkpoints(tmp_path / "checkpoints", 3, about(chosen, own))
    shorter = chosen.model_copy(update={"federation": chosen.federation.model_copy(update={"rounds": 2})})
    ran(ForeignGrid("clients.app:app", hosts(parts), {}, run_id=12), shorter, own, checkpoints)
    going_on = resume(tmp_path, chosen, own, allow_changes=False)
    again = ran(ForeignGrid("clients.app:app", hosts(parts), {}, run_id=13), chosen, own, checkpoints, going_on)
    assert [event for event, _ in again.events if event == "resumed"], "from a checkpoint, with another run's id"
    straight.rounds = straight.rounds[-1:]
    assert_same(again, straight)


def with_rounds(quickstart: Path, rounds: int, *more: str) -> Scenario:
    everyone = ["federation.clients_per_round=1.0", "training.optimizer_state=client"]
    return load_scenario(quickstart, [*SMALL, *everyone, f"federation.rounds={rounds}", *more])


def replayed(watcher: Watcher, chosen: Scenario, parts: Path) -> Watcher:
    """The same participation on a grid of ours: the blocks that were excluded there are left out here."""
    excluded: dict[int, dict[int, str]] = {}
    for number, event, details in watcher.log:
        if event == "excluded":
            excluded.setdefault(number, {}).update(dict.fromkeys(details["blocks"], details["reason"]))
    grid = LocalGrid("clients.app:app", hosts(parts), {})
    return ran(grid, chosen, Prepared(parts / "server"), resumed=Resumed(None, [], [], excluded))


def test_a_node_that_is_away_is_named_and_the_others_go_on(quickstart: Path, parts: Path) -> None:
    chosen = with_rounds(quickstart, 4)
    watcher = ran(FaultyGrid(parts, node=1, away={2, 3}), chosen, Prepared(parts / "server"))
    missing = [(number, details["clients"]) for number, event, details in watcher.log if event == "excluded"]
    assert missing == [(2, [1, 4]), (3, [1, 4])], "clients 1 and 4 live on node 1"
    assert [entry["clients"] for entry in watcher.rounds] == [0, 7, 5, 5, 7], "it returns in round 4"
    assert_same(watcher, replayed(watcher, chosen, parts))


@pytest.mark.faults
def test_a_node_that_is_slow_is_left_out_until_it_has_answered(quickstart: Path, parts: Path) -> None:
    chosen = with_rounds(quickstart, 4, "federation.deadline=3")
    watcher = ran(FaultyGrid(parts, node=2, held=(1, 3)), chosen, Prepared(parts / "server"))
    busy = "its node is still busy with an earlier round"
    told = [(number, details["reason"]) for number, event, details in watcher.log if event == "excluded"]
    assert told == [(1, "no reply within 3 seconds"), (2, busy), (3, busy)]
    assert [entry["clients"] for entry in watcher.rounds] == [0, 5, 5, 5, 7], "it takes part again"
    unmeasured = [number for number, event, details in watcher.log if event == "not measured"]
    assert unmeasured == [1, 2], "nor is it asked to measure meanwhile"
    assert_same(watcher, replayed(watcher, chosen, parts), but=("holdout", "bytes_evaluation"))


def test_too_few_clients_end_the_run_with_a_checkpoint(quickstart: Path, parts: Path, tmp_path: Path) -> None:
    chosen, own = with_rounds(quickstart, 4, "federation.min_clients=6"), Prepared(parts / "server")
    checkpoints = Checkpoints(tmp_path / "checkpoints", 3, about(chosen, own))
    with pytest.raises(RunError, match="round 3: 5 of 7 clients sent a usable reply"):
        ran(FaultyGrid(parts, node=1, away={3, 4}), chosen, own, checkpoints)
    going_on = resume(tmp_path, chosen, own, allow_changes=False)
    assert going_on.state is not None
    assert going_on.state.round == 2
    straight = ran(LocalGrid("clients.app:app", hosts(parts), {}), chosen, own)
    straight.rounds = straight.rounds[3:]
    assert_same(ran(FaultyGrid(parts, node=1), chosen, own, None, going_on), straight)


class ForgetfulGrid(FaultyGrid):
    """A grid on which one node is away when it is asked what its clients kept."""

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        batch = list(messages)
        ids = super().push_messages(batch)
        for message_id, message in zip(ids, batch, strict=True):
            if message.metadata.message_type == STATES and message.metadata.dst_node_id == self._node:
                self._lost.add(message_id)
        return ids


def test_clients_whose_host_is_away_at_a_checkpoint_begin_anew_from_it(
    quickstart: Path, parts: Path, tmp_path: Path
) -> None:
    chosen, own = with_rounds(quickstart, 2), Prepared(parts / "server")
    checkpoints = Checkpoints(tmp_path / "checkpoints", 3, about(chosen, own))
    watcher = ran(ForgetfulGrid(parts, node=1), chosen, own, checkpoints)
    told = [(number, details["clients"]) for number, event, details in watcher.log if event == "states missing"]
    assert told[-1] == (2, [1, 4])
    going_on = resume(tmp_path, chosen, own, allow_changes=False)
    assert going_on.state is not None
    assert going_on.state.versions.tolist() == [2, 0, 2, 2, 0, 2, 2]
    assert [kept.places.tolist() for kept in going_on.client_states()] == [[0, 2, 3, 5, 6]]


def test_nodes_that_do_not_come_are_not_waited_for_without_end(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.grid.polled._GATHERING_SECONDS", 0.1)
    grid = PolledGrid(ForeignGrid("clients.app:app", hosts(parts), {}), nodes=4)
    with pytest.raises(RunError, match="3 of 4 nodes came"):
        grid.get_node_ids()
