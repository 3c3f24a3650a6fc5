"""What is needed of how Flower starts the processes of apps, beyond what Flower documents."""

from __future__ import annotations

from collections.abc import Callable

from flwr.supercore.constant import TaskType
from flwr.supercore.superexec import run_superexec as _superexec
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult, SubprocessExecutor
from flwr.supernode.runtime.run_clientapp import run_clientapp

__all__ = [
    "CLIENT_APP_MODULE",
    "POLL_INTERVAL",
    "ExecutionSpec",
    "LaunchResult",
    "SubprocessExecutor",
    "TaskType",
    "run_clientapp",
    "serve_tasks",
]

CLIENT_APP_MODULE = "flwr.supernode.runtime.run_clientapp"
"""Where `run_clientapp` is, for processes that import it before they are forked."""

POLL_INTERVAL = "FLWR_SUPEREXEC_TASK_POLL_INTERVAL"
"""How often a SuperExec looks for work, in seconds: once a second if nobody says otherwise."""


def serve_tasks(address: str, supernode: int, executor: Callable[[], SubprocessExecutor]) -> None:
    """Run a SuperExec that starts ClientApps with this executor, for the SuperNode of this process id."""
    setattr(_superexec, "get_executor", lambda *_, **__: executor())  # noqa: B010 (Flower exports no way to)
    _superexec.run_superexec(address, insecure=True, parent_pid=supernode)
