"""Runs on a Ray cluster that is there already: work is spread over machines, and outlives one of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, RecordDict
from ray.cluster_utils import Cluster

import hothouse
from common.data import prepare
from common.errors import InputError
from common.scenario import load_scenario
from server.grid.machine import Machine
from tests.command import command
from tests.conftest import REPOSITORY
from tests.processes import machine_has, ray_processes, rounds_in, start, until, workers
from tests.resuming import assert_same

ALONE = ("unshare", "--pid", "--fork", "--mount-proc")
"""Before a command: it sees no processes but its own."""


class TestTheDataOfAMachine:
    @pytest.fixture
    def here(self, quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
        monkeypatch.setenv("HOTHOUSE_CACHE", str(tmp_path / "cache"))
        return Machine(load_scenario(quickstart))

    def context(self, folder: Path) -> Context:
        return Context(1, 2, {"data-dir": str(folder), "faults": "[]"}, RecordDict(), {})

    def test_is_the_drivers_where_machines_share_it(self, here: Machine, tmp_path: Path) -> None:
        shared = self.context(tmp_path)
        assert here.context(shared) is shared
        assert not (tmp_path / "cache").exists()

    def test_is_prepared_there_where_they_do_not(self, here: Machine, quickstart: Path, tmp_path: Path) -> None:
        key = prepare(load_scenario(quickstart)).key
        shutil.rmtree(tmp_path / "cache")
        config = here.context(self.context(Path("/nowhere") / key)).node_config
        assert config == {"data-dir": str(tmp_path / "cache" / "shards" / key), "faults": "[]"}
        assert Path(str(config["data-dir"])).is_dir()

    def test_is_refused_where_it_is_other_data(self, here: Machine) -> None:
        with pytest.raises(InputError, match="has other data than the one this run was started on"):
            here.context(self.context(Path("/nowhere/0123")))

    def test_cannot_be_prepared_where_there_is_none(self, npz: Path) -> None:
        machine = Machine(load_scenario({"data": {"source": {"kind": "npz", "path": str(npz)}}}))
        npz.unlink()
        with pytest.raises(InputError, match=r"on the machine \S+: .*rows\.npz"):
            machine.context(self.context(Path("/nowhere/0123")))

    def test_belongs_to_the_same_software(self, here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        here.check()
        monkeypatch.setattr("server.grid.machine.versions", lambda: {**here.versions, "torch": "1.0"})
        with pytest.raises(InputError, match=r"the machine \S+ has torch 1\.0, not "):
            here.check()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--ray-address", "ray://somewhere:10001"], "expected the address HOST:PORT, or auto"),
        (["--ray-address", "somewhere"], "expected the address HOST:PORT, or auto"),
        (["--ray-address", "127.0.0.1:7", "--engine", "local"], "is for the engine ray, not for local"),
    ],
)
def test_an_address_of_no_cluster_is_refused(quickstart: Path, options: list[str], complaint: str) -> None:
    done = command("run", quickstart, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


@pytest.mark.deploy
@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_an_address_where_no_cluster_is_is_refused(quickstart: Path, address: str, tmp_path: Path) -> None:
    # Another Ray of this machine would be found by auto.
    alone = ALONE if shutil.which("unshare") and not subprocess.run([*ALONE, "true"], check=False).returncode else ()
    if address == "auto" and not alone and machine_has("gcs_server"):
        pytest.skip("another Ray runs on this machine, and auto finds it")
    running = start("run", quickstart, "--ray-address", address, within=alone, env={"RAY_TMPDIR": str(tmp_path)})
    _, errors = running.communicate()
    assert running.returncode == 2
    assert f"no Ray cluster can be joined at {address}" in errors
    assert "Traceback" not in errors


@pytest.mark.deploy
class TestACluster:
    # The run must still be under way when a machine dies, so the slower trainer has much to do.
    ROUNDS = ("federation.rounds=24", "training.epochs=20", "training.trainer=torch")

    @pytest.fixture
    def cluster(self) -> Iterator[Any]:
        """A head, on which the driver is, that trains nobody, and no machine yet that does."""
        before = ray_processes()
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        yield cluster
        cluster.shutdown()
        until(lambda: not ray_processes() - before, 30)

    def test_survives_the_loss_of_a_machine_with_the_same_bits(
        self, quickstart: Path, tmp_path: Path, cluster: Any
    ) -> None:
        first, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
        folder, overrides = tmp_path / "run", [part for change in self.ROUNDS for part in ("--set", change)]
        running = start("run", quickstart, "--ray-address", cluster.address, *overrides, "--out", folder)
        until(lambda: rounds_in(folder) > 3 and len(workers()) == 2, 300)
        cluster.remove_node(first, allow_graceful=False)
        until(lambda: rounds_in(folder) > 10, 120)
        cluster.add_node(num_cpus=1)
        _, errors = running.communicate(timeout=240)
        assert running.returncode == 0, errors
        run = hothouse.load(folder)
        retries = [event for event in run.events if event["event"] == "retry"]
        assert {event["reason"] for event in retries} == {"its worker died; another does the work again"}
        assert "excluded" not in {event["event"] for event in run.events}
        assert_same(run, hothouse.run(quickstart, overrides=self.ROUNDS, engine="local", out=tmp_path / "calm"))

    def test_trains_with_a_part_of_ones_own(self, quickstart: Path, tmp_path: Path, cluster: Any) -> None:
        """It comes to the machines as text: their caches stay without it."""
        for name in ("one", "other"):
            cluster.add_node(num_cpus=1, env_vars={"HOTHOUSE_CACHE": str(tmp_path / name)})
        page = (REPOSITORY / "docs" / "extending.md").read_text()
        (tmp_path / "drag.py").write_text(page.split("```python\n# drag.py\n")[1].split("```")[0])
        (tmp_path / "own.yaml").write_text(f"uses: [drag.py]\n{quickstart.read_text()}")
        overrides = ["federation.strategy=drag", "federation.rounds=3"]
        folder, changes = tmp_path / "run", [part for change in overrides for part in ("--set", change)]
        running = start("run", tmp_path / "own.yaml", "--ray-address", cluster.address, *changes, "--out", folder)
        _, errors = running.communicate(timeout=240)
        assert running.returncode == 0, errors
        for name in ("one", "other"):
            assert not (tmp_path / name / "uses").exists()
        here = hothouse.run(tmp_path / "own.yaml", overrides=overrides, engine="local", out=tmp_path / "here")
        assert_same(hothouse.load(folder), here)

    def test_that_is_lost_altogether_ends_the_run_with_a_checkpoint(
        self, quickstart: Path, tmp_path: Path, cluster: Any
    ) -> None:
        only, folder = cluster.add_node(num_cpus=1), tmp_path / "run"
        overrides = [part for change in self.ROUNDS for part in ("--set", change)]
        running = start("run", quickstart, "--ray-address", cluster.address, *overrides, "--out", folder)
        until(lambda: rounds_in(folder) > 3, 300)
        cluster.remove_node(only, allow_graceful=False)
        _, errors = running.communicate(timeout=240)
        assert running.returncode == 1
        assert "no machine of the Ray cluster has a processor left" in errors
        resumed = hothouse.resume(folder, engine="local")
        assert_same(resumed, hothouse.run(quickstart, overrides=self.ROUNDS, engine="local", out=tmp_path / "calm"))
