"""An ordinary Flower app on RayGrid and on Flower's own engine: the same result, and how long each takes.

    python benchmarks/app.py [APP] [--partitions N] [--turns N]

APP is the folder of a Message-API app (by default the one the tests use). Each turn runs `hothouse app` and Flower's
`run_simulation`, one after the other, in processes of their own; what is printed are seconds from start to end.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from flwr.common.config import flatten_dict

REPOSITORY = Path(__file__).parents[1]
FLOWER = """
import importlib, json, sys
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation

def load(place):
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)

server, client, config = load(sys.argv[1]), load(sys.argv[2]), json.loads(sys.argv[4])

# run_simulation knows no run config of its own.
class Client(ClientApp):
    def __call__(self, message, context):
        context.run_config = config
        return client(message, context)

configured = ServerApp()

@configured.main()
def main(grid, context):
    context.run_config = config
    server(grid, context)

resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}, "init_args": {"num_cpus": 2}}
run_simulation(configured, Client(), num_supernodes=int(sys.argv[3]), backend_config=resources)
"""


def main() -> None:
    """Take turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("app", type=Path, nargs="?", default=REPOSITORY / "tests" / "flower_app")
    parser.add_argument("--partitions", type=int, default=10)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    told = tomllib.loads((options.app / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    config, told = json.dumps(flatten_dict(told.get("config", {}))), told["components"]
    environment = os.environ | {
        "PYTHONPATH": f"{options.app.absolute()}{os.pathsep}{REPOSITORY}",
        "FLWR_TELEMETRY_ENABLED": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    hothouse, nodes = str(Path(sys.executable).parent / "hothouse"), str(options.partitions)
    commands = {
        "hothouse app": [hothouse, "app", str(options.app.absolute()), "--partitions", nodes, "--workers", "2"],
        "flower": [sys.executable, "-c", FLOWER, told["serverapp"], told["clientapp"], nodes, config],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(options.turns):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, cwd=scratch, env=environment, check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - started)
    for name, times in seconds.items():
        print(f"{name:14} {statistics.median(times):.1f} s of {', '.join(f'{one:.1f}' for one in times)}")
    ratios = [theirs / ours for theirs, ours in zip(seconds["flower"], seconds["hothouse app"], strict=True)]
    print(f"faster by {statistics.median(ratios):.1f}x")


if __name__ == "__main__":
    main()
