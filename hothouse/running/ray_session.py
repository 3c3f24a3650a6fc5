"""Ray for the time of a run: started quietly, started again when it dies, and stopped without a trace."""

from __future__ import annotations

import logging
import os
import signal
import site
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil

import server
from common.compat.ray import VITAL, job_config, system_config
from common.errors import InputError, RunError
from hothouse.running.guardian import Guardian, kill
from hothouse.running.logs import Logs
from hothouse.running.private_ray import private_ray

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", FLWR_TELEMETRY_ENABLED="0")
# Without it Ray takes a driver whose parent is process 1, as in a container, for an orphan of a raylet: when the
# raylet dies, it ends the driver without a word.
os.environ["RAY_RAYLET_PID"] = str(os.getpid())


_TRIES = 3
_DIRECT = 1 << 20
"""Answers of at most this many bytes, where large arrays are not left on buffers, come straight from the actor: Ray's
object store takes longer for them, and ends a process that holds something of it, without a word, when the raylet
dies."""


@contextmanager
def ray_session(workers: int, logs: Logs, verbose: bool = False, cards: int = 0) -> Iterator[RaySession | None]:
    """Ray with room for `workers` actors on so many `cards`, its logs in `logs`.

    With `verbose` workers write to standard error as well.

    Where Ray runs in this process already it is used as it is, and there is no session of ours to start again.
    Raises InputError where a running Ray has too little room.
    """
    import ray

    with _turn if _ours or not ray.is_initialized() else nullcontext():
        yield from _session(workers, logs, verbose, cards)


def mark_run(folder: Path) -> None:
    """Have it told how to resume the run in `folder`, should this process end without a word; with a Ray of ours."""
    for session in _ours:
        session.mark(folder)


_turn = threading.RLock()
"""Held by the thread that has a Ray of ours. A process can have one at a time: runs in several threads take turns."""
_ours: list[RaySession] = []


def _session(workers: int, logs: Logs, verbose: bool, cards: int) -> Iterator[RaySession | None]:
    import ray

    if ray.is_initialized():
        room = int(ray.cluster_resources().get("CPU", 0))
        if room < workers:
            raise InputError(f"{workers} workers, but the Ray that is running has {room} CPUs; use workers={room}")
        if cards and not ray.cluster_resources().get("GPU", 0):
            raise InputError("training.device needs a card, and the Ray that is running was started without one")
        yield None
        return
    session = RaySession(workers, logs, verbose, cards=cards)
    _ours.append(session)
    try:
        yield session
    finally:
        session.close()
        _ours.remove(session)


class RaySession:
    """A private Ray of our own: on loopback only, and for those who have its token."""

    def __init__(
        self, workers: int, logs: Logs, verbose: bool = False, store_bytes: int | None = None, cards: int = 0
    ) -> None:
        """`store_bytes` is the size of Ray's object store; by default Ray chooses it.

        Raises RunError where Ray cannot be started.
        """
        self._workers, self._logs, self._verbose, self._store_bytes = workers, logs, verbose, store_bytes
        self._cards = cards
        self._guardian = Guardian()
        self._processes: list[psutil.Process] = []
        self._vital: list[psutil.Process] = []
        with ExitStack() as opened:
            opened.callback(self._guardian.dismiss)
            try:
                self._temporary = opened.enter_context(private_ray())
            except OSError as error:
                raise _not_started(error) from error
            self._guardian.remove(self._temporary)
            self._start()
            self._opened = opened.pop_all()

    def mark(self, run: Path) -> None:
        """Have it told how to resume the run in this folder if this process ends without `close`."""
        self._guardian.mark(run)

    @property
    def address(self) -> str:
        """HOST:PORT of Ray's control process (GCS)."""
        return self._address

    def alive(self) -> bool:
        """Whether the processes that Ray cannot do without are running."""
        return all(map(_is_at_work, self._vital))

    def restart(self) -> None:
        """End what is left of Ray and start it anew; everything that was stored in it is gone."""
        import ray

        for process in self._processes:
            kill(process)
        ray.shutdown()
        self._logs.take(self._folder)
        self._start()

    def close(self) -> None:
        """Stop Ray and whatever of it is left."""
        import ray

        ray.shutdown()
        self._logs.take(self._folder)
        self._opened.close()

    def _start(self) -> None:
        import ray

        for left in reversed(range(_TRIES)):
            before = set(psutil.Process().children(recursive=True))
            try:
                with keeping_signals():
                    context = ray.init(
                        address="local",
                        num_cpus=self._workers,
                        num_gpus=self._cards,
                        object_store_memory=self._store_bytes,
                        include_dashboard=False,
                        log_to_driver=self._verbose,
                        logging_level=logging.ERROR,
                        configure_logging=False,
                        job_config=driver_modules(),
                        _temp_dir=str(self._temporary / "ray"),
                        _system_config=system_config(_DIRECT),
                    )
                break
            except Exception as error:  # a bare Exception is what Ray raises on a machine that is too busy to start it
                ray.shutdown()
                for process in self._since(before):
                    kill(process)
                logging.getLogger(__name__).warning("Ray could not be started: %s", error)
                if not left:
                    raise _not_started(error) from error
        self._address = str(context.address_info["gcs_address"])
        self._folder = Path(context.address_info["session_dir"]) / "logs"
        self._processes = self._since(before)
        self._vital = [process for process in self._processes if _is_vital(process)]
        self._guardian.watch(process.pid for process in self._processes)

    def _since(self, before: set[psutil.Process]) -> list[psutil.Process]:
        """Ray's processes below this one that were not there before."""
        new = [process for process in psutil.Process().children(recursive=True) if process not in before]
        return [process for process in new if "ray" in " ".join(_command(process))]


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
    home = str(Path(server.__file__).parents[1])
    return job_config([] if home in site.getsitepackages() else [home])


def _not_started(error: Exception) -> RunError:
    return RunError(f"Ray could not be started ({error}); --engine local runs without it")


def _command(process: psutil.Process) -> list[str]:
    """A process's command line; empty for one that is gone."""
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _is_vital(process: psutil.Process) -> bool:
    return Path(next(iter(_command(process)), "")).name.partition(" ")[0] in VITAL


def _is_at_work(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
