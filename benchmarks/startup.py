"""Seconds from the command to the first finished round of the quickstart, in turn with Flower's own engine.

    python benchmarks/startup.py [--turns 3]

Flower trains the quickstart's network on the quickstart's rows: `run_simulation` with its 20 clients, 10 a round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parent.parent
HOTHOUSE = [sys.executable, "-c", "from hothouse.cli import main; main()", "run", "scenarios/quickstart.yaml", "--json"]
FLOWER = """
import logging, sys
import numpy as np, torch
from flwr.app import ArrayRecord, MetricRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
logging.getLogger("flwr").setLevel(logging.ERROR)
client, server = ClientApp(), ServerApp()
def network():
    return torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU(),
                               torch.nn.Linear(32, 10))
@client.train()
def train(message, context):
    from sklearn.datasets import load_digits
    torch.set_num_threads(1)
    x, y = load_digits(return_X_y=True)
    part = slice(context.node_config["partition-id"], None, context.node_config["num-partitions"])
    x, y = torch.tensor(x[part], dtype=torch.float32) / 16, torch.tensor(y[part])
    model = network()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(3):
        for rows in torch.randperm(len(x)).split(16):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()),
                               "metrics": MetricRecord({"num-examples": len(x)})}), reply_to=message)
class Told(FedAvg):
    def aggregate_train(self, *given):
        found = super().aggregate_train(*given)
        print("round", flush=True)
        return found
@server.main()
def main(grid, context):
    Told(fraction_train=0.5, fraction_evaluate=0.0).start(grid, ArrayRecord(network().state_dict()), num_rounds=1)
run_simulation(server, client, num_supernodes=20, backend_config={"client_resources": {"num_cpus": 1},
               "init_args": {"num_cpus": %d, "log_to_driver": False, "logging_level": logging.ERROR}})
"""


def main() -> None:
    """Start each in turn and print how long it took until a round was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out, commands = iter(range(1000)), {}
        commands["hothouse"] = lambda: ([*HOTHOUSE, "--out", f"{folder}/{next(out)}"], '"event": "round", "round": 1,')
        commands["hothouse --engine local"] = lambda: (
            [*HOTHOUSE, "--engine", "local", "--out", f"{folder}/{next(out)}"],
            '"event": "round", "round": 1,',
        )
        commands["flower"] = lambda: ([sys.executable, "-c", FLOWER % len(os.sched_getaffinity(0))], "round")
        times: dict[str, list[float]] = {name: [] for name in commands}
        environment = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        environment["HOTHOUSE_CACHE"] = f"{folder}/cache"
        for _ in range(options.turns):
            for name, command in commands.items():
                times[name].append(_seconds(*command(), environment))
    table = Table(title="Seconds from the command to the first finished round")
    for column in ("engine", "seconds", "turns"):
        table.add_column(column)
    for name, values in times.items():
        table.add_row(name, f"{statistics.median(values):.2f}", " ".join(f"{value:.2f}" for value in values))
    Console().print(table)


def _seconds(command: list[str], sign: str, environment: dict[str, str]) -> float:
    """Until a line of the output contains the sign."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=REPOSITORY, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if sign in line:
                took = time.perf_counter() - started
                process.stdout.read()
                return took
    sys.exit(f"no round: {' '.join(command)[:200]}")


if __name__ == "__main__":
    main()
