"""A deployment of real processes: strangers stay outside, and what dies is survived."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

import hothouse
from common.data import prepare
from common.data.cut import cut
from common.scenario import load_scenario
from hothouse.deployment.credentials import make_credentials
from tests.deployment import Deployment, deployed
from tests.link import Link
from tests.processes import commands, rounds_in
from tests.replay import assert_equal, lines, replayed

pytestmark = pytest.mark.deploy

NODES = 3
# Enough for nodes to be missed and for one to return; one that says goodbye is missed at once.
ROUNDS, COMPETING_ROUNDS = 8, 6
FAULTY_ROUNDS = 10
SCENARIO = """
name: deployed
seed: 5
data:
  source: {kind: sklearn, name: digits}
  test_fraction: 0.2
  validation_fraction: 0.1
  partition: {scheme: iid, clients: 6}
model: {layers: [16]}
training: {epochs: 1, batch_size: 16, optimizer: {name: sgd, lr: 0.02, momentum: 0.9}, optimizer_state: client}
federation: {rounds: 3, min_clients: 2}
checkpoints: {every: 1, best: false}
"""


@pytest.fixture(scope="module")
def scenario_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deployed") / "deployed.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def parts(scenario_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts")
    cut(prepare(load_scenario(scenario_file)), NODES, out)
    return out


@pytest.fixture(scope="module")
def deployment(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("deployment"), parts, NODES) as deployment:
        yield deployment


def excluded(out: Path) -> dict[int, list[int]]:
    """For each round the clients that were left out of it."""
    found: dict[int, list[int]] = {}
    for event in lines(out / "events.jsonl"):
        if event["event"] == "excluded":
            found.setdefault(event["round"], []).extend(event["clients"])
    return found


def whole(out: Path) -> list[int]:
    """The rounds in which nobody was missing."""
    return [entry["round"] for entry in lines(out / "metrics.jsonl") if entry["clients"] == 6]


class TestStrangers:
    def test_a_node_that_is_not_registered_is_refused(self, deployment: Deployment, parts: Path) -> None:
        make_credentials(deployment.folder / "strange", 1, ["localhost"], days=2)
        stranger = deployment.start_node(0, parts / "node-0", deployment.folder / "strange" / "node-0", "stranger")
        assert stranger.wait(120) != 0
        assert "activate" in deployment.log("stranger").lower()
        deployment.processes.pop("stranger")

    def test_a_key_of_another_kind_is_refused(self, deployment: Deployment, parts: Path) -> None:
        wrong = deployment.start_node(0, parts / "node-0", deployment.keys / "server.key", "wrong")
        assert wrong.wait(120) != 0
        deployment.processes.pop("wrong")

    def test_plain_http_gets_nothing(self, deployment: Deployment) -> None:
        caller = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=20)
        caller.request("GET", "/health")
        try:
            answered = caller.getresponse().status < 400
        except (http.client.HTTPException, OSError):
            answered = False
        assert not answered

    def test_a_certificate_that_has_expired_is_not_trusted(
        self, parts: Path, tmp_path: Path, deployment: Deployment
    ) -> None:
        old = Deployment(tmp_path / "old", 1)
        try:
            expire(old.keys / "server.pem", old.keys / "ca.key")
            old.start_superlink()
            node = old.start_node(0, parts / "node-0", extra=("--max-retries", 1))
            old.until(lambda: "certificate" in old.log("node-0").lower() or node.poll() is not None, "no complaint")
            assert node.wait(120) != 0
            assert "ActivateNode" not in old.log("superlink")
        finally:
            old.close()


def expire(certificate: Path, authority: Path) -> None:
    """Sign the same certificate anew, for a time that is over."""
    old = x509.load_pem_x509_certificate(certificate.read_bytes())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now - timedelta(days=1))
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    key = load_pem_private_key(authority.read_bytes(), None)
    certificate.write_bytes(builder.sign(key, hashes.SHA384()).public_bytes(Encoding.PEM))  # type: ignore[arg-type]


def test_nodes_that_die_are_named_and_may_return(
    deployment: Deployment, scenario_file: Path, parts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    changes = f"federation.rounds={ROUNDS} checkpoints.every=100"
    deployment.submit(out, scenario=scenario_file, nodes=NODES, server_data=parts / "server", set=changes)
    deployment.until(lambda: rounds_in(out) > 1, "the run does not begin", 600)
    deployment.kill("node-1")
    deployment.kill("node-2")
    deployment.until(lambda: bool(excluded(out)), "the dead nodes are not left out", 600)
    deployment.bring_back(1, parts / "node-1")
    deployment.until(lambda: [2, 5] in excluded(out).values(), "the node does not return", 600)
    assert deployment.finished(out)["status"] == "complete"
    deployment.bring_back(2, parts / "node-2")
    away = excluded(out)
    assert sorted(away[min(away)]) == [1, 2, 4, 5], "both were away for a while"
    assert away[ROUNDS] == [2, 5], "node 2 never came back"
    chosen = load_scenario(scenario_file, changes.split())
    assert_equal(hothouse.load(out), replayed(chosen, parts, NODES, out))


def test_networks_that_compete_are_still_there_when_their_node_is_started_again(
    deployment: Deployment, scenario_file: Path, parts: Path, tmp_path: Path
) -> None:
    """Each client's network, and its momentum, are in its node's store: nobody else has them."""
    competing, out = tmp_path / "competing.yaml", tmp_path / "run"
    strategy = "{name: competition, mode: tournament, adopted_state: copied}"
    competing.write_text(
        scenario_file.read_text().replace("rounds: 3,", f"rounds: {COMPETING_ROUNDS}, strategy: {strategy},")
    )
    changes = "checkpoints.every=100"
    deployment.submit(out, scenario=competing, nodes=NODES, server_data=parts / "server", set=changes)
    deployment.until(lambda: rounds_in(out) > 2, "the run does not begin", 600)
    deployment.kill("node-1", signal.SIGTERM)
    deployment.until(lambda: bool(excluded(out)), "the node is not missed", 600)
    deployment.bring_back(1, parts / "node-1")
    deployment.until(lambda: max(whole(out)) > min(excluded(out)), "the node does not return", 600)
    assert deployment.finished(out)["status"] == "complete"
    assert {client for away in excluded(out).values() for client in away} == {1, 4}
    ladder = lines(out / "ladder.jsonl")
    before = max(min(excluded(out)) - 1, 1)
    assert {1, 4} & set(ladder[before - 1]["clients"])
    assert {1, 4} & set(ladder[-1]["clients"])
    assert_equal(hothouse.load(out), replayed(load_scenario(competing), parts, NODES, out))


def reasons(out: Path, clients: list[int]) -> set[str]:
    """Why these clients were left out of rounds."""
    told = [event for event in lines(out / "events.jsonl") if event["event"] == "excluded"]
    return {event["reason"] for event in told if sorted(event["clients"]) == clients}


def test_a_network_that_is_cut_and_a_node_that_is_slow_cost_their_clients_some_rounds(
    deployment: Deployment, scenario_file: Path, parts: Path, tmp_path: Path
) -> None:
    deployment.kill("node-0", signal.SIGTERM)
    link = Link(deployment.port)
    deployment.start_node(0, parts / "node-0", port=link.port)
    out = tmp_path / "run"
    changes = f"federation.rounds={FAULTY_ROUNDS} federation.deadline=25 checkpoints.every=100"
    deployment.submit(out, scenario=scenario_file, nodes=NODES, server_data=parts / "server", set=changes)
    deployment.until(lambda: bool(whole(out)), "the run does not begin", 600)
    link.cut()
    deployment.until(lambda: bool(reasons(out, [0, 3])), "the node beyond the cut is not left out", 600)
    link.mend()
    deployment.until(lambda: max(whole(out)) > min(excluded(out)), "the node does not return", 600)
    deployment.signal("node-2", signal.SIGSTOP)
    deployment.until(lambda: bool(reasons(out, [2, 5])), "the slow node is not left out", 600)
    deployment.signal("node-2", signal.SIGCONT)
    slowed = rounds_in(out)
    deployment.until(lambda: max(whole(out)) > slowed, "the slow node does not take part again", 600)
    assert deployment.finished(out)["status"] == "complete"
    deployment.kill("node-0", signal.SIGTERM)
    link.close()
    deployment.start_node(0, parts / "node-0")
    assert "no reply within 25 seconds" in reasons(out, [2, 5])
    chosen = load_scenario(scenario_file, changes.split())
    assert_equal(hothouse.load(out), replayed(chosen, parts, NODES, out))


def test_a_superlink_that_dies_costs_no_round_that_was_saved(
    deployment: Deployment, scenario_file: Path, parts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = {"scenario": scenario_file, "nodes": NODES, "server_data": parts / "server"}
    server_app = f"flwr-serverapp --runtime-api-address 127.0.0.1:{deployment.port}"
    deployment.submit(out, **settings)
    deployment.until(lambda: rounds_in(out) > 1, "the run does not begin", 600)
    assert server_app in " ".join(commands().values())
    deployment.kill("superlink")
    deployment.until(lambda: server_app not in " ".join(commands().values()), "the ServerApp outlives it")
    assert json.loads((out / "summary.json").read_text())["status"] == "incomplete"
    shutil.copytree(out, tmp_path / "copy")
    deployment.start_superlink()
    (out / "report.html").unlink(missing_ok=True)
    deployment.submit(out, **settings, resume=True)
    assert deployment.finished(out)["status"] == "complete"
    assert excluded(out) == {}
    chosen = load_scenario(scenario_file)
    straight = replayed(chosen, parts, NODES, out)
    assert_equal(hothouse.load(out), straight)
    # Where the data is, the run can also be gone on with by simulation, whose blocks are cut otherwise.
    simulated = hothouse.resume(tmp_path / "copy", engine="local")
    for name, tensor in simulated.model.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), straight[name], rtol=1e-3, atol=1e-5)
