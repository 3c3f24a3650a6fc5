"""A host's workers in a Ray beside it: the same bits as alone, and the same workers for the next message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ray.cluster_utils import Cluster

from clients.host.block_workers import _app_name
from common.messages import Blocks, TrainReply
from common.messages.parts import concatenate_replies
from common.scenario.uses import Use
from tests.conftest import REPOSITORY
from tests.federations import federation
from tests.processes import commands, ray_processes, until

_MESSAGES = """
import sys
import numpy as np
from pathlib import Path
from flwr.app import Context, RecordDict
from clients.host import block_workers
from clients.blocks.faults import Faults
from common.data import Prepared
from tests.federations import scenario, train_order

folder, address, out, forgotten = sys.argv[1:]
block_workers._FORGOTTEN = float(forgotten)
prepared = Prepared(folder)
order = train_order(scenario(training={"epochs": 2}), prepared, [[0, 1], [2], [3, 4]])
context = Context(1, 2, {"ray-address": address} if address else {}, RecordDict(), {})
reply = block_workers.train_with(context, prepared, order, Faults())
np.savez(out, weights=reply.weights, **reply.sums["parameters"], **reply.metrics)
"""


class TestRepliesPutTogether:
    def test_have_every_block_and_client_in_order(self) -> None:
        one = TrainReply(
            Blocks(np.array([4, 7]), np.array([2])),
            np.array([5.0]),
            {"parameters": {"w": np.array([[1.0, 2.0]])}},
            {"weights": {"w": np.array([[1.0], [2.0]])}},
            {"steps": np.array([1, 2])},
            {},
            {"m": np.array([[1.0], [2.0]])},
        )
        two = TrainReply(
            Blocks(np.array([9]), np.array([1])),
            np.array([0.0]),
            {},
            {},
            {"steps": np.array([0])},
            {9: "it raised"},
            {},
        )
        whole = concatenate_replies(Blocks(np.array([4, 7, 9]), np.array([2, 1])), [one, two])
        assert whole.weights.tolist() == [5.0, 0.0]
        assert whole.sums["parameters"]["w"].tolist() == [[1.0, 2.0], [0.0, 0.0]]
        assert whole.rows["weights"]["w"].tolist() == [[1.0], [2.0], [0.0]]
        assert whole.metrics["steps"].tolist() == [1, 2, 0]
        assert whole.excluded == {9: "it raised"}
        assert whole.state is not None
        assert whole.state["m"].tolist() == [[1.0], [2.0], [0.0]]


def test_workers_are_named_by_their_app_and_what_the_scenario_uses() -> None:
    app = Path("apps/me.app.0-1-2.abc")
    one, other = (Use(source="drag.py", sha256=letter * 64) for letter in "ab")
    names = [_app_name(app, uses) for uses in ([], [one], [other], [one, other])]
    assert names[0] == app.name
    assert len(set(names)) == 4
    assert _app_name(app, [one]) == names[1]


@pytest.mark.deploy
def test_workers_beside_a_host_give_its_own_bits_and_stay(tmp_path: Path) -> None:
    federation(tmp_path / "data", [9, 14, 20, 7, 11])
    before = ray_processes()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})

    def message(address: str, name: str, app: Path = REPOSITORY, forgotten: float = 3600) -> dict[str, np.ndarray]:
        arguments = [str(tmp_path / "data"), address, str(tmp_path / f"{name}.npz"), str(forgotten)]
        subprocess.run([sys.executable, "-c", _MESSAGES, *arguments], check=True, cwd=app)
        return dict(np.load(tmp_path / f"{name}.npz"))

    def members() -> set[int]:
        return {process for process, command in commands().items() if command.startswith("ray::BlockWorker")}

    # The same app in another folder, as Flower keeps another version of it.
    other = tmp_path / "other"
    other.mkdir()
    for package in ("clients", "common", "server", "hothouse", "tests"):
        (other / package).symlink_to(REPOSITORY / package)
    try:
        first = message(cluster.address, "first")
        crew = members()
        second = message(cluster.address, "second")
        assert len(crew) == 2
        assert members() == crew
        message(cluster.address, "third", other)
        both = members()
        assert both > crew
        assert len(both) == 4
        message(cluster.address, "fourth")
        assert members() == both, "two apps on one Ray let each other's workers alone"
        message(cluster.address, "fifth", other, forgotten=0)
        until(lambda: members() == both - crew, 20)
    finally:
        cluster.shutdown()
    until(lambda: not ray_processes() - before, 30)
    alone = message("", "alone")
    for reply in (first, second):
        assert {name: array.tobytes() for name, array in reply.items()} == {
            name: array.tobytes() for name, array in alone.items()
        }
