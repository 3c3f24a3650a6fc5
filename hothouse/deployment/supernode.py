"""A Flower SuperNode whose ClientApps start warm: each is forked from a process that has imported PyTorch already.

Flower starts a process for every message, and each imports Flower and PyTorch anew: seconds of processor time where
training takes milliseconds. Here SuperNode and SuperExec are Flower's own, in its isolation mode `process`; they differ
only in how the SuperExec starts a ClientApp. What is forked has imported nothing of an app, so an app's own code is
loaded for every message, as Flower does it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import active_children, forkserver, get_context
from pathlib import Path
from shutil import which
from typing import NoReturn

from common.compat.flower_processes import (
    CLIENT_APP_MODULE,
    POLL_INTERVAL,
    ExecutionSpec,
    LaunchResult,
    SubprocessExecutor,
    TaskType,
    run_clientapp,
    serve_tasks,
)
from common.errors import InputError
from hothouse.running.logs import Logs
from hothouse.running.ray_session import RaySession

IMPORTED = (CLIENT_APP_MODULE, "flwr.clientapp", "torch", "pydantic", "yaml", "safetensors.numpy")
# Room for the messages of a round; a container has little shared memory.
_STORE_BYTES = 100_000_000
# Options that the SuperExec and the ClientApps would have to know of as well.
OURS = ("--isolation", "--ssl-", "--superexec-auth-secret", "--allow-runtime-dependency-installation")


class WarmExecutor(SubprocessExecutor):
    """Forks ClientApps from a process that has imported what they need."""

    def __init__(self) -> None:
        self.processes = get_context("forkserver")
        self.processes.set_forkserver_preload(list(IMPORTED))
        forkserver.ensure_running()

    def launch(self, spec: ExecutionSpec) -> LaunchResult:
        """Start the process of a task; one of another kind than a ClientApp as Flower does."""
        if spec.task_type != TaskType.CLIENT_APP:
            return super().launch(spec)
        settings = {
            "runtime_api_address": spec.runtime_api_address,
            "token": spec.token,
            "insecure": spec.insecure,
            "parent_pid": spec.parent_pid,
            "runtime_dependency_install": spec.runtime_dependency_install,
        }
        self.processes.Process(target=run_clientapp, kwargs=settings).start()
        return LaunchResult.accepted()

    def close(self) -> None:
        """End the ClientApps that still run."""
        for child in active_children():
            child.terminate()


def become_supernode(host: str, port: int, workers: int, options: Sequence[str]) -> NoReturn:
    """Turn this process into `flower-supernode` with these options, a warm SuperExec beside it.

    With more than one of the `workers` the SuperExec starts a private Ray for its ClientApps, which ends with it.

    Raises:
        InputError: an option is one that is chosen here, or there is no `flower-supernode`.
    """
    for option in options:
        if option.startswith(OURS):
            raise InputError(
                f"{option}: hothouse supernode chooses this itself, as its ClientApps are processes of this machine "
                "and this environment; expected another option of flower-supernode, or flower-supernode in its place"
            )
    beside_python = Path(sys.executable).parent
    command = which("flower-supernode", path=f"{beside_python}{os.pathsep}{os.environ.get('PATH', '')}")
    if command is None:
        raise InputError(
            f"expected Flower's flower-supernode in {beside_python} or on the PATH; is flwr installed here?"
        )
    # Without a main module of its own: what is forked would import that first.
    serve = (
        "import sys; from hothouse.deployment.supernode import serve_apps; "
        "serve_apps(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    subprocess.Popen(
        [sys.executable, "-P", "-c", serve, address, str(os.getpid()), str(workers)],
        env={POLL_INTERVAL: "0.25", **os.environ},
    )
    if workers > 1:
        options = with_node_config(options, 'ray-address="auto"')
    os.execv(command, [command, "--isolation", "process", "--host", host, "--port", str(port), *options])


def with_node_config(options: Sequence[str], entry: str) -> list[str]:
    """The options of `flower-supernode` with a further entry in their `--node-config`."""
    given = list(options)
    for place, option in enumerate(given):
        if option == "--node-config" and place + 1 < len(given):
            given[place + 1] += f" {entry}"
            return given
        if option.startswith("--node-config="):
            given[place] += f" {entry}"
            return given
    return [*given, "--node-config", entry]


def serve_apps(address: str, supernode: int, workers: int) -> None:
    """Run a SuperExec for the SuperNode of this process id, which listens at `address`, until that one ends."""
    with _ray_beside(workers):
        serve_tasks(address, supernode, WarmExecutor)


@contextmanager
def _ray_beside(workers: int) -> Iterator[None]:
    """A private Ray with this many workers for the ClientApps, which find it and its token in their environment."""
    if workers == 1:
        yield
        return
    session = RaySession(workers, Logs(lambda source, text: None, verbose=False), store_bytes=_STORE_BYTES)
    os.environ["RAY_ADDRESS"] = session.address
    try:
        yield
    finally:
        session.close()
