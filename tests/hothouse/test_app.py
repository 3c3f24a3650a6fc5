"""An ordinary Flower app runs on RayGrid: what comes out is FedAvg, and what Flower's own engine gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.command import command
from tests.deployment import Deployment
from tests.processes import HOTHOUSE, commands, ray_processes, start, until

APP = Path(__file__).parent.parent / "flower_app"
NODES, ROUNDS = 3, 3


def run_app(out: Path, *options: object) -> dict[str, torch.Tensor]:
    """`hothouse app` on the app; the final model."""
    words = [HOTHOUSE, "app", APP, "--partitions", NODES, "--workers", 2, "-c", f'out="{out}"', *options]
    done = subprocess.run([str(part) for part in words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return weights(out)


def weights(out: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(out, weights_only=True)
    return found


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The app's final model on RayGrid, and the metrics of its rounds."""
    out = tmp_path_factory.mktemp("app") / "model.pt"
    return run_app(out), json.loads(Path(f"{out}.json").read_text())


@pytest.mark.slow
def test_the_result_is_fedavg_computed_by_hand(
    on_ray: tuple[dict[str, torch.Tensor], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(APP)
    from quickstart.task import Net, load_data, train  # type: ignore[import-not-found]

    torch.manual_seed(0)
    average = Net().state_dict()
    for _ in range(ROUNDS):
        trained, sizes = [], []
        for partition in range(NODES):
            net = Net()
            net.load_state_dict(average)
            rows, _ = load_data(partition, NODES)
            train(net, rows, epochs=1, lr=0.1)
            trained.append(net.state_dict())
            sizes.append(len(rows.dataset))
        average = {
            name: sum(size * one[name] for size, one in zip(sizes, trained, strict=True)) / sum(sizes)
            for name in average
        }
    for name, tensor in on_ray[0].items():
        assert (tensor - average[name]).abs().max() < 1e-6


@pytest.mark.slow
def test_what_a_node_keeps_in_its_context_is_there_in_the_next_round(
    on_ray: tuple[dict[str, torch.Tensor], dict[str, Any]],
) -> None:
    assert [on_ray[1]["train"][str(number)]["trained"] for number in range(1, ROUNDS + 1)] == [1.0, 2.0, 3.0]


@pytest.mark.deploy
def test_flowers_own_engine_gives_the_same(
    on_ray: tuple[dict[str, torch.Tensor], dict[str, Any]], tmp_path: Path
) -> None:
    engine = Deployment(tmp_path / "engine", 0)
    out = tmp_path / "model.pt"
    try:
        engine.start_simulation()
        options = f"num-supernodes={NODES} init-args-num-cpus=2 client-resources-num-cpus=1"
        engine.flwr("run", APP, "simulation", "--federation-config", options, "--run-config", f'out="{out}"')
        engine.until(Path(f"{out}.json").exists, "the app does not end", seconds=600)
        engine.until(lambda: Path(f"{out}.json").read_text().endswith("}"), "its metrics are not written")
    finally:
        engine.close()
    # Flower adds replies up in the order in which they arrive.
    for name, tensor in weights(out).items():
        assert (tensor - on_ray[0][name]).abs().max() < 1e-6
    theirs = json.loads(Path(f"{out}.json").read_text())
    for number in range(1, ROUNDS + 1):
        for kind in ("train", "evaluate"):
            for name, value in theirs[kind][str(number)].items():
                assert value == pytest.approx(on_ray[1][kind][str(number)][name], rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere: expected the folder of a Flower app"),
        ([APP, "-c", "rounds=3"], "num-server-rounds"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[object], told: str) -> None:
    done = command("app", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_app_that_fails_ends_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        (APP / "pyproject.toml").read_text().replace("quickstart.", "broken.").replace('"1.0.0"', '"1.0.1"')
    )
    package = tmp_path / "broken"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "client_app.py").write_text("from flwr.clientapp import ClientApp\napp = ClientApp()\n")
    (package / "server_app.py").write_text("raise ValueError('it cannot be imported')\n")
    done = subprocess.run([HOTHOUSE, "app", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "it cannot be imported" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("the run failed: the app in")


@pytest.mark.faults
def test_an_app_that_hangs_ends_with_the_command_that_started_it(tmp_path: Path) -> None:
    server = """
import time
from pathlib import Path
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    Path(MARK).touch()
    time.sleep(3600)
"""
    mark, before = tmp_path / "mark", ray_processes()
    client = "from flwr.clientapp import ClientApp\napp = ClientApp()\n"
    folder = app_folder(tmp_path / "app", "hanging", client, server.replace("MARK", repr(str(mark))))
    running = start("app", folder, "--workers", 2)
    until(mark.exists)
    assert ray_processes() > before
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    until(lambda: not [command for command in commands().values() if "flower_app" in command], 20)
    until(lambda: not ray_processes() - before, 20)


_CLIENT = """
import numpy as np
from flwr.client import ClientApp, NumPyClient


class Client(NumPyClient):
    def __init__(self, partition):
        self.partition = partition

    def fit(self, parameters, config):
        return [parameters[0] + self.partition], 10 * (self.partition + 1), {}

    def evaluate(self, parameters, config):
        return float(parameters[0].sum()), 10, {}


app = ClientApp(client_fn=lambda context: Client(context.node_config["partition-id"]).to_client())
"""
_SERVER = """
import numpy as np
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg


class Told(FedAvg):
    def aggregate_fit(self, number, results, failures):
        found = super().aggregate_fit(number, results, failures)
        print("round", number, len(failures), parameters_to_ndarrays(found[0])[0].tolist(), flush=True)
        return found


def server_fn(context):
    strategy = Told(initial_parameters=ndarrays_to_parameters([np.zeros(2)]))
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=2))


app = ServerApp(server_fn=server_fn)
"""
_THREADS_CLIENT = """
from flwr.app import Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message, context):
    number = message.content.metric_records["m"]["number"] + context.node_config["partition-id"]
    return Message(RecordDict({"m": MetricRecord({"number": number})}), reply_to=message)
"""
_THREADS_SERVER = """
import threading
from flwr.app import Message, MetricRecord, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    found = {}

    def ask(node):
        for turn in range(10):
            asked = Message(RecordDict({"m": MetricRecord({"number": turn})}), node, "train")
            (reply,) = grid.send_and_receive([asked])
            found.setdefault(node, []).append(reply.content.metric_records["m"]["number"])

    threads = [threading.Thread(target=ask, args=(node,)) for node in grid.get_node_ids()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("threads", [found[node] for node in sorted(found)], flush=True)
"""


def app_folder(folder: Path, name: str, client: str, server: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    (folder / name / "client.py").write_text(client)
    (folder / name / "server.py").write_text(server)
    (folder / "pyproject.toml").write_text(f"""
[project]
name = "{name}"
version = "1.0.0"
license = "Apache-2.0"
[tool.flwr.app]
publisher = "x"
[tool.flwr.app.components]
serverapp = "{name}.server:app"
clientapp = "{name}.client:app"
[tool.flwr.app.config]
num-server-rounds = 2
""")
    return folder


@pytest.mark.slow
def test_an_app_of_the_older_kind_gives_the_mean_computed_by_hand(tmp_path: Path) -> None:
    folder = app_folder(tmp_path / "old", "oldapp", _CLIENT, _SERVER)
    words = [HOTHOUSE, "app", folder, "--partitions", 4, "--workers", 2]
    done = subprocess.run([str(part) for part in words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("round ")]
    # Changes 0 … 3 of weights 10 … 40: (0 · 1 + 1 · 2 + 2 · 3 + 3 · 4) / 10 a round, added up as replies arrive.
    assert [line.partition("[")[0] for line in told] == ["round 1 0 ", "round 2 0 "]
    means = [json.loads(line[line.index("[") :]) for line in told]
    assert means == [pytest.approx([2.0, 2.0]), pytest.approx([4.0, 4.0])]


@pytest.mark.slow
def test_an_app_may_use_a_thread_for_each_node(tmp_path: Path) -> None:
    folder = app_folder(tmp_path / "threads", "threadsapp", _THREADS_CLIENT, _THREADS_SERVER)
    words = [HOTHOUSE, "app", folder, "--partitions", 3, "--workers", 2]
    done = subprocess.run([str(part) for part in words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    expected = [[turn + partition for turn in range(10)] for partition in range(3)]
    assert f"threads {expected}" in done.stdout
