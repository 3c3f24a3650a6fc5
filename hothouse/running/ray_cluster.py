"""A Ray cluster that runs already: a run joins it, and leaves it as it was."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from common.errors import InputError, RunError
from hothouse.running.ray_session import driver_modules, keeping_signals

_DARK_SECONDS = 30.0
"""How long the cluster's head may be out of reach."""
_KNOCK_SECONDS = 5.0
"""How long a cluster to be joined may take to answer at all."""


class RayCluster:
    """The cluster a run has joined."""

    def __init__(self, head: str) -> None:
        """`head` is the HOST:PORT of the process that every machine of the cluster needs."""
        self._head = _place(head)
        self._seen = time.monotonic()

    def alive(self) -> bool:
        """Whether the cluster is there. Raises RunError where its head has been out of reach for long."""
        try:
            socket.create_connection(self._head, timeout=1.0).close()
        except OSError as error:
            if time.monotonic() - self._seen > _DARK_SECONDS:
                where = ":".join(map(str, self._head))
                raise RunError(f"the Ray cluster's head, {where}, is gone ({error.strerror or error})") from None
        else:
            self._seen = time.monotonic()
        return True

    def restart(self) -> NoReturn:
        """A cluster is not ours to start."""
        raise RunError("the Ray cluster is gone")


class ClusterSession(NamedTuple):
    """What a run has of a cluster."""

    cluster: RayCluster
    workers: int


@contextmanager
def ray_cluster(address: str, workers: int | None, verbose: bool = False) -> Iterator[ClusterSession]:
    """A connection to the cluster at `address`, from one of its machines, and how many actors are wanted there.

    That is `workers`, or else one for each of the cluster's processors. `address` is HOST:PORT, or `auto` for
    the cluster this machine belongs to. Raises InputError where no cluster can be joined there.
    """
    import ray

    place = None if address == "auto" else _place(address)
    if ray.is_initialized():
        raise InputError("Ray runs in this process already; leave the address out to use it")
    try:
        if place is not None:
            # Ray itself would keep trying for most of a minute.
            socket.create_connection(place, timeout=_KNOCK_SECONDS).close()
        with keeping_signals():
            ray.init(
                address=address,
                log_to_driver=verbose,
                logging_level=logging.ERROR,
                configure_logging=False,
                job_config=driver_modules(),
            )
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"no Ray cluster can be joined at {address} from this machine: {reason}") from None
    try:
        room = int(ray.cluster_resources().get("CPU", 0))
        if not room:
            raise InputError(f"the Ray cluster at {address} has no processors")
        yield ClusterSession(RayCluster(ray.get_runtime_context().gcs_address), workers or room)
    finally:
        ray.shutdown()


def _place(address: str) -> tuple[str, int]:
    """The host and the port of HOST:PORT. Raises InputError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise InputError(f"expected the address HOST:PORT, or auto, on a machine of the cluster; got {address!r}")
    return host.strip("[]"), int(port)
