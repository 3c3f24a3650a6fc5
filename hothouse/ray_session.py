"""Ray for the time of a run: started quietly and stopped, or used as it is where it runs already."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import InputError

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", FLWR_TELEMETRY_ENABLED="0")


@contextmanager
def ray_session(workers: int) -> Iterator[None]:
    """Ray with room for `workers` actors. Raises InputError where a running Ray has less."""
    import ray

    if ray.is_initialized():
        room = int(ray.cluster_resources().get("CPU", 0))
        if room < workers:
            raise InputError(f"{workers} workers, but the Ray that is running has {room} CPUs; use workers={room}")
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    ray.init(
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler ends the process without a word to anyone.
        signal.signal(signal.SIGTERM, before)
    try:
        yield
    finally:
        ray.shutdown()
