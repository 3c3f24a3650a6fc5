"""Running an ordinary Flower app, made for Flower's Message API, on RayGrid: a node for each partition."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tomllib
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flwr.app import Context, RecordDict
from flwr.app.user_config import UserConfig
from flwr.serverapp import ServerApp

from common.compat.flower_apps import flatten_dict, fuse_dicts, get_project_config, parse_config_args
from common.errors import InputError, RunError
from hothouse.running.guardian import run_guarded
from hothouse.running.launch import processors
from hothouse.running.logs import Logs
from hothouse.running.ray_session import ray_session
from server.grid.base import SERVER_NODE
from server.grid.ray import RayGrid
from server.grid.shared import SharedGrid


@dataclass(frozen=True)
class FlowerApp:
    """What pyproject.toml says of an app, and how it is to be run."""

    server_app: str
    client_app: str
    config: UserConfig
    partitions: int
    workers: int


def read_app(folder: Path, partitions: int, workers: int | None, changes: list[str]) -> FlowerApp:
    """The app in a folder; `changes` are `key=value` texts as `flwr run --run-config` takes them.

    Raises InputError where there is none, or where its config has no such key.
    """
    try:
        app = get_project_config(folder)["tool"]["flwr"]["app"]
    except FileNotFoundError:
        raise InputError(f"{folder}: expected the folder of a Flower app, with a pyproject.toml") from None
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{folder / 'pyproject.toml'}: {' '.join(str(error).split())}") from None
    config = flatten_dict(app.get("config", {}))
    try:
        config = fuse_dicts(config, parse_config_args(changes))
    except Exception as error:  # Flower's own kinds, click's too
        known = ", ".join(config) or "none"
        raise InputError(f"--run-config: {error}; the keys that {folder / 'pyproject.toml'} has: {known}") from None
    components = app["components"]
    return FlowerApp(components["serverapp"], components["clientapp"], config, partitions, workers or processors())


def run_app(folder: Path, app: FlowerApp) -> None:
    """Run the app in a process of its own, which finds its modules as Flower's do. Raises RunError where it fails."""
    ours = str(Path(__file__).parents[2])
    path = os.pathsep.join([str(folder.resolve()), *filter(None, [os.environ.get("PYTHONPATH")]), ours])
    command = [sys.executable, "-P", "-m", __name__, json.dumps(asdict(app))]
    status = run_guarded(command, env={**os.environ, "PYTHONPATH": path}).returncode
    if status:
        raise RunError(f"the app in {folder} ended with status {status}; what it said is above")


def _run(app: FlowerApp) -> None:
    module, _, attribute = app.server_app.partition(":")
    server_app = getattr(importlib.import_module(module), attribute)
    if not isinstance(server_app, ServerApp):
        raise InputError(f"{app.server_app} is no Flower ServerApp but {type(server_app).__name__}")
    hosts: list[UserConfig] = [
        {"partition-id": partition, "num-partitions": app.partitions} for partition in range(app.partitions)
    ]
    quiet = Logs(lambda source, text: None, verbose=False)
    with (
        ray_session(app.workers, quiet) as session,
        closing(RayGrid(app.client_app, hosts, app.config, app.workers, session)) as grid,
        # Apps may use a thread for each node, and those of the older kind, with a server_fn, always do.
        closing(SharedGrid(grid)) as shared,
    ):
        server_app(shared, Context(grid.run.run_id, SERVER_NODE, {}, RecordDict(), dict(app.config)))


def main(text: str) -> None:
    """Run the app that the text describes, in this process."""
    told: dict[str, Any] = json.loads(text)
    try:
        _run(FlowerApp(**told))
    except (InputError, RunError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1])
