"""What is needed of Ray beyond what Ray documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common.errors import RunError

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""The environment in which Ray listens on loopback only, as it does on macOS to avoid questions of its firewall."""

LONGEST_SOCKET = "/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.1"
"""What Ray appends to a folder to name a socket."""

VITAL = ("raylet", "gcs_server")
"""The processes without which a Ray is dead, by name."""


@contextmanager
def on_loopback() -> Iterator[None]:
    """While this lasts, a Ray that is started in the environment `LOOPBACK` listens on loopback only, by a new token.

    Raises RunError where the installed Ray offers no way to keep it there.
    """
    from ray._private import ray_constants

    if not hasattr(ray_constants, "ENABLE_RAY_CLUSTER"):
        raise RunError("this version of Ray cannot be kept on loopback; install one that constraints.txt names")
    clusters = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False  # read from the environment when Ray was imported
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters


def reload_token() -> None:
    """Have Ray read the token and whether it is needed anew: it keeps what it found first."""
    import ray._raylet as compiled  # without types

    compiled.AuthenticationTokenLoader.instance().reset_cache()  # type: ignore[attr-defined]
    compiled.Config.initialize("")  # type: ignore[attr-defined]


def system_config(direct: int) -> dict[str, Any]:
    """Options of `ray.init(_system_config=…)`: objects of up to `direct` bytes travel with the call."""
    return {
        # Nobody looks at the history of tasks, which would grow with every round.
        "task_events_report_interval_ms": 0,
        "max_direct_call_object_size": direct,
    }


def job_config(folders: list[str]) -> Any:
    """A Ray JobConfig with which workers find modules in these folders, and none that lie in the current one."""
    from ray.job_config import JobConfig

    # Ray puts the current folder first on the path of a worker, unless the job is a client's.
    return JobConfig(_client_job=True, _py_driver_sys_path=folders)


def uses_ray_client() -> bool:
    """Whether this process reaches its Ray through Ray Client (ray://)."""
    import ray

    return bool(ray.util.client.ray.is_connected())


def failed_to_start(error: Exception) -> bool:
    """Whether an actor died because its constructor raised: another try would end the same way."""
    return "raised in its creation task" in str(error)
