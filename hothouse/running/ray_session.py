"""Ray for the time of a run: started quietly, started again when it dies, and stopped without a trace."""

from __future__ import annotations

import logging
import os
import signal
import site
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import server
from common.errors import InputError, RunError
from hothouse.running.guardian import Guardian, Process, command, descendants, end, look
from hothouse.running.logs import Logs

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", FLWR_TELEMETRY_ENABLED="0")
# Without it Ray takes a driver whose parent is process 1, as in a container, for an orphan of a raylet: when the
# raylet dies, it ends the driver without a word.
os.environ["RAY_RAYLET_PID"] = str(os.getpid())


_TRIES = 3
_LONGEST_SOCKET = 107
_SOCKET = "/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.1"
"""What Ray appends to a folder to name a socket."""
_DIRECT = 1 << 20
"""Answers of at most so many bytes, where large arrays are not left on slates, come straight from the actor: Ray's
object store takes longer for them, and ends a process that holds something of it, without a word, when the raylet
dies."""


@contextmanager
def ray_session(workers: int, logs: Logs, verbose: bool = False) -> Iterator[RaySession | None]:
    """Ray with room for `workers` actors, its logs in `logs`; with `verbose` workers write to standard error as well.

    Where Ray runs in this process already it is used as it is, and there is no session of ours to start again.
    Raises InputError where a running Ray has too little room.
    """
    import ray

    if ray.is_initialized():
        room = int(ray.cluster_resources().get("CPU", 0))
        if room < workers:
            raise InputError(f"{workers} workers, but the Ray that is running has {room} CPUs; use workers={room}")
        yield None
        return
    session = RaySession(workers, logs, verbose)
    try:
        yield session
    finally:
        session.close()


class RaySession:
    """A Ray of our own."""

    def __init__(self, workers: int, logs: Logs, verbose: bool) -> None:
        self._workers, self._logs, self._verbose = workers, logs, verbose
        self._guardian = Guardian()
        self._processes: list[Process] = []
        self._vital: list[Process] = []
        self._start()

    def alive(self) -> bool:
        """Whether the processes that Ray cannot do without are running."""
        return all((now := look(one.id)) is not None and now.running for one in self._vital)

    def restart(self) -> None:
        """End what is left of Ray and start it anew; everything that was stored in it is gone."""
        import ray

        for process in self._processes:
            end(process.id, process.started)
        ray.shutdown()
        self._logs.take(self._folder)
        self._start()

    def close(self) -> None:
        """Stop Ray and whatever of it is left."""
        import ray

        ray.shutdown()
        self._logs.take(self._folder)
        self._guardian.dismiss()

    def _start(self) -> None:
        import ray

        for left in reversed(range(_TRIES)):
            before = {process.id for process in descendants(os.getpid())}
            try:
                with keeping_signals():
                    context = ray.init(
                        address="local",
                        num_cpus=self._workers,
                        include_dashboard=False,
                        log_to_driver=self._verbose,
                        logging_level=logging.ERROR,
                        configure_logging=False,
                        job_config=driver_modules(),
                        _temp_dir=_short_folder(),
                        _system_config={
                            # Nobody looks at the history of tasks, which would grow with every round.
                            "task_events_report_interval_ms": 0,
                            "max_direct_call_object_size": _DIRECT,
                        },
                    )
                break
            except Exception as error:  # a bare Exception is what Ray raises on a machine that is too busy to start it
                ray.shutdown()
                for process in self._since(before):
                    end(process.id, process.started)
                logging.getLogger(__name__).warning("Ray could not be started: %s", error)
                if not left:
                    self._guardian.dismiss()
                    raise RunError(f"Ray could not be started ({error}); --engine local runs without it") from error
        self._folder = Path(context.address_info["session_dir"]) / "logs"
        self._processes = self._since(before)
        self._vital = [process for process in self._processes if _is_vital(process)]
        self._guardian.watch(self._processes)

    def _since(self, before: set[int]) -> list[Process]:
        """Ray's processes below this one that were not there before."""
        new = [process for process in descendants(os.getpid()) if process.id not in before]
        return [process for process in new if "ray" in command(process.id)]


@contextmanager
def keeping_signals() -> Iterator[None]:
    """Ray's own handler of SIGTERM ends the process without a word to anyone; it is not let in."""
    signals = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signals)


def driver_modules() -> Any:
    """A Ray JobConfig with which workers find the driver's own modules, and none that lie in the current folder."""
    from ray.job_config import JobConfig

    home = str(Path(server.__file__).parents[1])
    # Ray puts the current folder first on the path of a worker, unless the job is a client's.
    return JobConfig(_client_job=True, _py_driver_sys_path=[] if home in site.getsitepackages() else [home])


def _short_folder() -> str | None:
    """A folder for Ray's sockets where the usual temporary one has too long a name for them."""
    usual = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray"
    if len(os.fsencode(usual)) + len(_SOCKET) <= _LONGEST_SOCKET:
        return None
    # What every Unix has, whatever else is set.
    common = Path(os.sep, "tmp")
    return str(common / f"ray-{os.getuid()}") if os.access(common, os.W_OK) else None


def _is_vital(process: Process) -> bool:
    return Path(command(process.id).partition(" ")[0]).name in ("raylet", "gcs_server")
