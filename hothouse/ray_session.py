"""Ray for the time of a run: started quietly, started again when it dies, and stopped without a trace."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError
from hothouse.guardian import Guardian, Process, command, descendants, end, look

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", FLWR_TELEMETRY_ENABLED="0")


@contextmanager
def ray_session(workers: int) -> Iterator[RaySession | None]:
    """Ray with room for `workers` actors.

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
    session = RaySession(workers)
    try:
        yield session
    finally:
        session.close()


class RaySession:
    """A Ray of our own."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
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
        self._start()

    def close(self) -> None:
        """Stop Ray and whatever of it is left."""
        import ray

        ray.shutdown()
        self._guardian.dismiss()

    def _start(self) -> None:
        import ray

        signals = signal.getsignal(signal.SIGTERM)
        before = {process.id for process in descendants(os.getpid())}
        ray.init(
            num_cpus=self._workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
            # Nobody looks at the history of tasks, which would grow with every round.
            _system_config={"task_events_report_interval_ms": 0},
        )
        if threading.current_thread() is threading.main_thread():
            # Ray's own handler ends the process without a word to anyone.
            signal.signal(signal.SIGTERM, signals)
        new = [process for process in descendants(os.getpid()) if process.id not in before]
        self._processes = [process for process in new if "ray" in command(process.id)]
        self._vital = [process for process in new if _is_vital(process)]
        self._guardian.watch(self._processes)


def _is_vital(process: Process) -> bool:
    return Path(command(process.id).partition(" ")[0]).name in ("raylet", "gcs_server")
