"""The compose demo for real: containers, volumes, networks; a SuperNode dies in mid-run, a stranger knocks."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import hothouse
from common.data import prepare
from common.data.cut import cut
from common.scenario import load_scenario
from tests.conftest import REPOSITORY
from tests.replay import assert_equal, replayed
from tests.resuming import assert_same

pytestmark = pytest.mark.compose

PROJECT = f"hothouse-test-{os.getpid()}"
RAY = ("--profile", "ray")
ROUNDS = 10
NODES = ("node-0", "node-1", "node-2")


class Demo:
    """`docker compose` on this repository, as a project of its own whose runs go to a folder of its own."""

    def __init__(self, runs: Path, rounds: int) -> None:
        self.runs = runs
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        self.command = ["docker", "compose"] if plugin else ["docker-compose"]
        self.environment = os.environ | {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "RUNS": str(runs),
            "ROUNDS": str(rounds),
            "SET": "federation.deadline=60",
        }

    def compose(self, *arguments: str, check: bool = True, **settings: str) -> str:
        """What a command of Compose prints; where it may fail, with what it complains of."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=REPOSITORY,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout if check else done.stdout + done.stderr

    def state(self, service: str) -> dict[str, Any]:
        """What Docker says of a service's container."""
        # Asked over and over: Docker itself answers in a fraction of the time that Compose takes to start.
        labels = {"project": PROJECT, "service": service, "oneoff": "False"}
        filters = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        found: dict[str, Any] = json.loads(docker("inspect", docker("ps", "-a", "-q", *filters).strip()))[0]
        return found

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 900.0) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"{what}:\n{self.compose('logs', '--tail', '40', check=False)}"
            time.sleep(0.5)

    def rounds(self) -> int:
        """How many rounds the run has recorded."""
        return sum(path.read_text().count("\n") for path in self.runs.glob("*/metrics.jsonl"))

    def in_container(self, service: str, *command: str) -> str:
        """What a command prints in a service's container."""
        return self.compose("exec", "-T", service, *command).strip()


def docker(*arguments: str) -> str:
    """What a command of Docker prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, up."""
    demo = Demo(tmp_path_factory.mktemp("runs"), ROUNDS)
    demo.compose("down", "--volumes", check=False)
    try:
        demo.compose("up", "--build", "--detach")
        yield demo
    finally:
        demo.compose(*RAY, "down", "--volumes", check=False)


_ASKING = """
import httpx, ssl
trusted = ssl.create_default_context(cafile="/public/ca.crt")
kind = {"content-type": "application/protobuf"}
def ask(name, url, content=b""):
    try:
        print(name, httpx.post(url, content=content, headers=kind, verify=trusted, timeout=20).status_code)
    except httpx.TransportError as error:
        print(name, type(error).__name__)
ask("registering", "https://gate:8000/v1/control/register-node")
ask("submitting", "https://gate:8000/v1/control/start-run")
ask("tasks", "https://gate:8000/v1/runtime/acquire-task")
ask("unsigned", "https://gate:8000/v1/fleet/pull-messages")
ask("oversized", "https://gate:8000/v1/fleet/push-object", bytes(257 << 20))
ask("unencrypted", "http://gate:8000/v1/fleet/pull-messages")
ask("superlink", "https://superlink:8000/v1/control/list-nodes")
"""


@pytest.fixture(scope="module")
def stranger(demo: Demo) -> str:
    """What happens to a container in the SuperNodes' network, with a key that nobody registered, in mid-run."""
    serve = "flower-supernode --superlink gate:8000 --root-certificates /public/ca.crt --max-retries 3"
    code = f"hothouse keys --nodes 1 --out /tmp/own && python -c '{_ASKING}' && exec {serve}"
    place = ["--rm", "--network", f"{PROJECT}_federation", "--volume", f"{PROJECT}_public:/public:ro"]
    demo.until(lambda: demo.rounds() > 1, "no round was recorded")
    done = subprocess.run(
        ["docker", "run", *place, "hothouse", "sh", "-c", f"{code} --auth-supernode-private-key /tmp/own/node-0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def killed(demo: Demo, stranger: str) -> int:
    """In which round a SuperNode's processes were killed."""
    demo.until(lambda: demo.rounds() > 3, "the run does not get on")
    demo.compose("exec", "-T", "node-1", "sh", "-c", "kill -9 -1", check=False)
    return demo.rounds()


@pytest.fixture(scope="module")
def run(demo: Demo, killed: int) -> hothouse.Run:
    """The run, ended."""
    demo.until(lambda: demo.state("run")["State"]["Status"] == "exited", "the run does not end")
    assert demo.state("run")["State"]["ExitCode"] == 0, demo.compose("logs", "run")
    (folder,) = demo.runs.iterdir()
    return hothouse.load(folder)


def test_a_run_survives_a_supernode_that_is_killed(demo: Demo, run: hothouse.Run, killed: int) -> None:
    assert run.summary["status"] == "complete"
    assert len(run.metrics) == ROUNDS + 1
    assert run.metrics.test_accuracy.iloc[-1] > 0.9
    assert demo.state("node-1")["RestartCount"] >= 1
    excluded = [event for event in run.events if event["event"] == "excluded"]
    assert {event["round"] for event in excluded} <= set(range(killed, ROUNDS + 1))
    assert all(client % 3 == 1 for event in excluded for client in event["clients"])


def test_its_model_is_what_the_same_participation_gives_in_a_simulation(
    demo: Demo, run: hothouse.Run, quickstart: Path, tmp_path: Path
) -> None:
    chosen = load_scenario(quickstart, [f"federation.rounds={ROUNDS}", *demo.environment["SET"].split()])
    cut(prepare(chosen), len(NODES), tmp_path)
    assert_equal(run, replayed(chosen, tmp_path, len(NODES), run.folder))


def test_the_run_and_its_report_belong_to_who_owns_the_checkout(run: hothouse.Run) -> None:
    owner = (REPOSITORY / "docker-compose.yml").stat()
    for path in [run.folder, run.folder / "report.html", run.folder / "model.safetensors"]:
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)


def test_a_stranger_is_refused(stranger: str) -> None:
    assert "Failed to activate SuperNode" in stranger
    answers = dict(line.split() for line in stranger.splitlines() if len(line.split()) == 2)
    assert {name: answers[name] for name in ("registering", "submitting", "tasks")} == dict.fromkeys(
        ("registering", "submitting", "tasks"), "404"
    )
    assert (answers["unsigned"], answers["oversized"]) == ("401", "413")
    assert answers["unencrypted"] == "RemoteProtocolError"
    assert answers["superlink"] == "ConnectError"


@pytest.mark.usefixtures("run")
class TestAContainer:
    def test_of_a_node_has_its_own_clients_data_and_key_and_no_others(self, demo: Demo) -> None:
        show = "from common.data import Prepared; print(*Prepared('/node').clients.tolist())"
        for number, node in enumerate(NODES):
            clients = [int(client) for client in demo.in_container(node, "python", "-c", show).split()]
            assert clients == list(range(number, 20, 3))
            assert set(demo.in_container(node, "ls", "/node/keys").split()) == {"node", "ca.crt"}
            assert [mount["Destination"] for mount in demo.state(node)["Mounts"]] == ["/node"]

    def test_writes_nowhere_but_on_its_volume(self, demo: Demo) -> None:
        for service in ("node-0", "superlink"):
            refused = demo.compose("exec", "-T", service, "touch", "/app/here", check=False)
            assert "Read-only file system" in refused

    def test_runs_as_nobody_special(self, demo: Demo) -> None:
        assert demo.in_container("node-0", "id", "-u") == "1000"
        status = "grep -h -E '^(Uid|CapEff|NoNewPrivs)' /proc/[0-9]*/status"
        told = [line.split() for line in demo.in_container("node-0", "sh", "-c", status).splitlines()]
        assert {line[1] for line in told if line[0] == "CapEff:"} == {"0" * 16}
        assert {line[1] for line in told if line[0] == "NoNewPrivs:"} == {"1"}

    def test_reaches_nothing_outside_the_federation(self, demo: Demo) -> None:
        server = ["python", "-m", "http.server", "8080", "--directory", "/tmp"]
        outside = docker("run", "--rm", "--detach", "hothouse", *server).strip()
        try:
            where = docker(
                "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", outside
            ).strip()
            call = f"import socket; socket.create_connection(('{where}', 8080), 3)"
            demo.until(lambda: _succeeds("docker", "exec", outside, "python", "-c", call), "nobody listens outside", 60)
            docker("run", "--rm", "hothouse", "python", "-c", call)
            for service in ("node-0", "superlink"):
                assert "timed out" in demo.compose("exec", "-T", service, "python", "-c", call, check=False)
        finally:
            docker("rm", "--force", outside)


@pytest.mark.usefixtures("run")
def test_a_run_that_fails_is_told_by_the_exit_status(demo: Demo) -> None:
    done = subprocess.run(
        [*demo.command, "run", "--rm", "--no-deps", "-T", "run"],
        cwd=REPOSITORY,
        env=demo.environment | {"SET": "federation.clients_per_round=99"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "finished:failed" in done.stdout


@pytest.mark.usefixtures("run")
def test_a_fourth_supernode_and_several_workers_are_a_line_each_of_the_settings(
    demo: Demo, quickstart: Path, tmp_path: Path
) -> None:
    settings = {"COMPOSE_FILE": "docker-compose.yml:docker/node-3.yml", "WORKERS": "2", "ROUNDS": "1", "SET": ""}
    told = yaml.safe_load(demo.compose("config", **settings))["services"]
    first, fourth = ({key: told[node][key] for key in told[node] if key != "volumes"} for node in ("node-0", "node-3"))
    assert first == fourth
    known = set(demo.runs.iterdir())
    demo.environment |= settings
    demo.compose("up", "--detach")
    demo.until(lambda: bool(set(demo.runs.iterdir()) - known), "no run begins")
    demo.until(lambda: demo.state("run")["State"]["Status"] == "exited", "the run does not end")
    assert demo.state("run")["State"]["ExitCode"] == 0, demo.compose("logs", "run")
    (folder,) = set(demo.runs.iterdir()) - known
    run = hothouse.load(folder)
    assert [event for event in run.events if event["event"] == "excluded"] == []
    trainers = "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -c ^ray::BlockWorker"
    assert [demo.in_container(node, "sh", "-c", trainers) for node in (*NODES, "node-3")] == ["2"] * 4
    chosen = load_scenario(quickstart, ["federation.rounds=1"])
    cut(prepare(chosen), 4, tmp_path)
    assert_equal(run, replayed(chosen, tmp_path, 4, folder))


@pytest.mark.usefixtures("run")
def test_a_ray_cluster_of_containers_outlives_one_of_them(demo: Demo, tmp_path: Path, quickstart: Path) -> None:
    # The run must still be under way when the machine dies, so the slower trainer has much to do.
    changes = {"federation.rounds": 14, "training.epochs": 40, "training.trainer": "torch"}
    demo.compose("stop", *NODES, "gate", "superlink")
    before, known = demo.rounds(), set(demo.runs.iterdir())
    settings = {"ROUNDS": "14", "SET": "training.epochs=40 training.trainer=torch"}
    demo.compose(*RAY, "up", "--detach", "ray-run", **settings)
    first = str(demo.state("ray-worker-1")["Id"])
    demo.until(lambda: demo.rounds() > before + 4, "no round was recorded")
    docker("kill", first)
    demo.until(lambda: demo.state("ray-run")["State"]["Status"] == "exited", "the run does not end")
    assert demo.state("ray-run")["State"]["ExitCode"] == 0, demo.compose(*RAY, "logs", "ray-run")
    (folder,) = set(demo.runs.iterdir()) - known
    run = hothouse.load(folder)
    assert "retry" in {event["event"] for event in run.events}
    overrides = [f"{key}={value}" for key, value in changes.items()]
    assert_same(run, hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path / "calm"))
