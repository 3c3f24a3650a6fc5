"""One scenario, three places: RayGrid, Flower's simulation engine, a deployment with TLS and node authentication."""

from __future__ import annotations

import json
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flwr.app import Context, RecordDict
from safetensors.numpy import load_file

import hothouse
from common.data import prepare
from common.data.cut import cut
from common.scenario import Scenario, load_scenario
from server.app import build
from server.grid.base import SERVER_NODE
from server.grid.local import LocalGrid
from server.grid.ray import RayGrid
from tests.command import command
from tests.common.test_sequences import PLAY, SPEAKERS
from tests.deployment import Deployment, app_with, deployed
from tests.processes import commands
from tests.resuming import TIMES

pytestmark = pytest.mark.deploy

NODES = 3
SCENARIO = """
name: places
seed: 5
data:
  source: {kind: sklearn, name: digits}
  test_fraction: 0.2
  validation_fraction: 0.1
  partition: {scheme: dirichlet, clients: 8, alpha: 1.0}
model: {layers: [16]}
training: {epochs: 1, batch_size: 16, optimizer: {name: sgd, lr: 0.05, momentum: 0.9}, optimizer_state: client}
federation: {rounds: 3, clients_per_round: 6}
checkpoints: {every: 2}
"""


@pytest.fixture(scope="module")
def scenario_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("places") / "places.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def scenario(scenario_file: Path) -> Scenario:
    return load_scenario(scenario_file)


@pytest.fixture(scope="module")
def parts(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hothouse cut` leaves."""
    out = tmp_path_factory.mktemp("parts")
    cut(prepare(scenario), NODES, out)
    return out


@pytest.fixture(scope="module")
def deployment(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("deployment"), parts, NODES) as deployment:
        deployment.kill("node-2", signal.SIGTERM)
        deployment.start_node(2, parts / "node-2", command=["flower-supernode"])
        deployment.kill("node-1", signal.SIGTERM)
        deployment.start_node(1, parts / "node-1", extra=["--workers", 2])
        deployment.kill("node-0", signal.SIGTERM)
        gate = deployment.start_gate()
        deployment.start_node(0, parts / "node-0", port=gate)
        assert commanded(deployment, deployment.port) != 404, "who reaches the SuperLink is listened to"
        assert commanded(deployment, gate) == 404, "who reaches the gate is not"
        yield deployment


def commanded(deployment: Deployment, port: int) -> int:
    """How an operator's request is answered that somebody without any key sends."""
    trusted = ssl.create_default_context(cafile=str(deployment.keys / "ca.crt"))
    request = urllib.request.Request(f"https://127.0.0.1:{port}/v1/control/list-nodes", data=b"", method="POST")
    try:
        with urllib.request.urlopen(request, context=trusted, timeout=60) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def on_ray(scenario: Scenario, two_workers: None, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    """On RayGrid, where clients have owners as they have on SuperNodes, so that blocks are cut alike."""
    prepared, out = prepare(scenario), tmp_path_factory.mktemp("ray") / "run"
    hosts: list[dict[str, Any]] = [
        {"data-dir": str(prepared.folder), "partition-id": node, "num-partitions": NODES} for node in range(NODES)
    ]
    grid = RayGrid("clients.app:app", hosts, {}, workers=2)
    context = Context(grid.run.run_id, SERVER_NODE, {}, RecordDict(), {"out": str(out)})
    build(scenario, prepared, [])(grid, context)
    grid.close()
    return hothouse.load(out)


def assert_same(one: hothouse.Run, other: hothouse.Run) -> None:
    """The same weights to the bit, and the same numbers of every round."""
    ours, theirs = one.model.state_dict(), other.model.state_dict()
    assert all(np.array_equal(ours[name].numpy(), theirs[name].numpy(), equal_nan=True) for name in ours)
    curves = [run.metrics.drop(columns=[name for name in TIMES if name in run.metrics]) for run in (one, other)]
    pd.testing.assert_frame_equal(*curves, check_exact=True, check_like=True)


def test_an_ordinary_run_differs_only_by_the_order_of_its_sums(
    scenario: Scenario, on_ray: hothouse.Run, tmp_path: Path
) -> None:
    ordinary = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    assert len(on_ray.metrics) == 4
    for name in ("train_loss", "test_loss", "validation_loss"):
        np.testing.assert_allclose(ordinary.metrics[name], on_ray.metrics[name], rtol=1e-4)


def test_flowers_simulation_engine_gives_the_same_bits(
    scenario_file: Path, on_ray: hothouse.Run, deployment: Deployment, tmp_path: Path
) -> None:
    deployment.start_simulation()
    options = ("--federation-config", f"num-supernodes={NODES} init-args-num-cpus=2 client-resources-num-cpus=1")
    deployment.submit(tmp_path / "run", "simulation", options, scenario=scenario_file)
    assert deployment.finished(tmp_path / "run")["status"] == "complete"
    deployment.kill("simulation")
    assert_same(hothouse.load(tmp_path / "run"), on_ray)


def without_times(content: Any) -> Any:
    """What a JSON document says, but for how long something took."""
    if isinstance(content, list):
        return [without_times(one) for one in content]
    if isinstance(content, dict):
        return {key: without_times(value) for key, value in content.items() if "second" not in key}
    return content


def everything(folder: Path) -> dict[str, Any]:
    """All files of a run, by name: what they hold but for times, and of pages and logs that they are there."""
    found: dict[str, Any] = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        match path.suffix:
            # How busy our workers were when; Flower does not tell of its own.
            case ".jsonl" if name == "workers.jsonl":
                found[name] = "there"
            case ".jsonl":
                found[name] = [without_times(json.loads(line)) for line in path.read_text().splitlines()]
            case ".json":
                found[name] = without_times(json.loads(path.read_text()))
            case ".html" | ".log":
                found[name] = "there"
            case ".safetensors" if path.parent.name == "checkpoints":
                found[name] = {key: array.tolist() for key, array in load_file(path).items()}
            case _:
                found[name] = path.read_bytes()
    return found


def test_flwr_run_leaves_the_folder_that_hothouse_run_leaves(
    scenario_file: Path, deployment: Deployment, tmp_path: Path
) -> None:
    """All of it: with one SuperNode there is one owner, and blocks are cut alike."""
    deployment.start_simulation()
    options = ("--federation-config", "num-supernodes=1 init-args-num-cpus=1 client-resources-num-cpus=1")
    deployment.submit(tmp_path / "flwr", "simulation", options, scenario=scenario_file)
    assert deployment.finished(tmp_path / "flwr")["status"] == "complete"
    deployment.kill("simulation")
    done = command("run", scenario_file, "--engine", "local", "--out", tmp_path / "ours")
    assert done.returncode == 0, done.stderr
    theirs, ours = everything(tmp_path / "flwr"), everything(tmp_path / "ours")
    assert set(theirs) == set(ours)
    for name, content in ours.items():
        assert theirs[name] == content, name


def test_a_deployment_gives_the_same_bits(
    scenario_file: Path, parts: Path, on_ray: hothouse.Run, deployment: Deployment, tmp_path: Path
) -> None:
    deployment.submit(tmp_path / "run", scenario=scenario_file, nodes=NODES, server_data=parts / "server")
    assert deployment.finished(tmp_path / "run")["status"] == "complete"
    assert_same(hothouse.load(tmp_path / "run"), on_ray)
    assert (tmp_path / "run" / "report.html").exists()
    started = [deployment.log(f"node-{node}").count("Start `flwr-clientapp` process") for node in range(NODES)]
    assert started[:2] == [0, 0], "their ClientApps are forked, not started anew"
    assert started[2] > 0
    members = [process for process in commands().values() if process.startswith("ray::BlockWorker")]
    assert len(members) == 2, "node 1 has its blocks trained by workers that stay"


def test_a_deployed_run_goes_on_from_its_checkpoint_with_what_clients_kept(
    scenario_file: Path, parts: Path, on_ray: hothouse.Run, deployment: Deployment, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = {"scenario": scenario_file, "nodes": NODES, "server_data": parts / "server"}
    deployment.submit(out, **settings, set="federation.rounds=2")
    assert deployment.finished(out)["rounds"] == 2
    (out / "report.html").unlink()
    (out / "summary.json").unlink()
    deployment.submit(out, **settings, resume=True)
    assert deployment.finished(out)["rounds"] == 3
    assert_same(hothouse.load(out), on_ray)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert "resumed" in [event["event"] for event in events]


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("drag.py", "clients_per_round: 6", "clients_per_round: 6, strategy: drag"),
        ("small_cnn.py", "layers: [16]", "name: small_cnn, channels: 2"),
        ("", "layers: [16]", "name: vae, latent: 2, layers: [16], conditional: true"),
    ],
    ids=["strategy", "network", "vae"],
)
def test_other_parts_have_the_same_bits_in_every_place(
    parts: Path, deployment: Deployment, tmp_path: Path, file: str, before: str, after: str
) -> None:
    """A scratch folder with a scenario, and perhaps a file of one's own: here, `flwr run`, nodes of a deployment."""
    own, files = tmp_path / "own.yaml", [tmp_path / file] if file else []
    for path in files:
        page = (Path(__file__).parent.parent.parent / "docs" / "extending.md").read_text()
        path.write_text(page.split(f"```python\n# {file}\n")[1].split("```")[0])
    own.write_text(f"uses: {[path.name for path in files]}\n{SCENARIO.replace(before, after)}")
    assert_same_in_every_place(own, parts, deployment, files)


def test_documents_have_the_same_bits_in_every_place(parts: Path, deployment: Deployment, tmp_path: Path) -> None:
    """Nodes have whole documents of their clients, and the vocabulary is agreed from counts of all of them."""
    (tmp_path / "play.txt").write_text(PLAY)
    own = tmp_path / "own.yaml"
    changed = {
        "{kind: sklearn, name: digits}": f"{{kind: sequence, path: {tmp_path / 'play.txt'}, clients: '{SPEAKERS}'}}",
        "  partition: {scheme: dirichlet, clients: 8, alpha: 1.0}": "  partition: natural",
        "layers: [16]": "name: next_token, context: 4, embedding: 3, layers: [5]",
        "clients_per_round: 6": "clients_per_round: 1.0",
    }
    text = SCENARIO
    for before, after in changed.items():
        text = text.replace(before, after)
    own.write_text(text)
    cut(prepare(load_scenario(own)), NODES, tmp_path / "parts")
    for node in range(NODES):
        deployment.kill(f"node-{node}", signal.SIGTERM)
        deployment.start_node(node, tmp_path / "parts" / f"node-{node}")
    assert_same_in_every_place(own, tmp_path / "parts", deployment, [])
    for node in range(NODES):
        deployment.kill(f"node-{node}", signal.SIGTERM)
        deployment.start_node(node, parts / f"node-{node}")


def assert_same_in_every_place(own: Path, parts: Path, deployment: Deployment, files: list[Path]) -> None:
    """A scenario has the same bits here, under `flwr run` and on a deployment's nodes; `files` are what it uses."""
    folder = own.parent
    prepared = prepare(load_scenario(own))
    hosts: list[dict[str, Any]] = [
        {"data-dir": str(prepared.folder), "partition-id": node, "num-partitions": NODES} for node in range(NODES)
    ]
    grid = LocalGrid("clients.app:app", hosts, {})
    context = Context(grid.run.run_id, SERVER_NODE, {}, RecordDict(), {"out": str(folder / "here")})
    build(load_scenario(own), prepared, [])(grid, context)
    here = hothouse.load(folder / "here")
    deployment.start_simulation()
    options = ("--federation-config", f"num-supernodes={NODES} init-args-num-cpus=2 client-resources-num-cpus=1")
    deployment.submit(folder / "simulated", "simulation", options, scenario=own)
    assert deployment.finished(folder / "simulated")["status"] == "complete"
    deployment.kill("simulation")
    settings = {"scenario": own, "nodes": NODES, "server_data": parts / "server"}
    if files:
        deployment.submit(folder / "refused", **settings)
        summary = deployment.finished(folder / "refused")
        assert (summary["status"], summary["rounds"]) == ("incomplete", 0)
        assert f"has no {files[0].name}" in summary["reason"], "no message brings code to a node"
    deployment.submit(folder / "deployed", app=app_with(folder / "app", *files), **settings)
    assert deployment.finished(folder / "deployed")["status"] == "complete"
    for run in ("simulated", "deployed"):
        assert_same(hothouse.load(folder / run), here)
        assert all((folder / run / "uses" / file.name).exists() for file in files)
