"""Who trains a host's blocks: the process that got the message or, where a Ray was started beside it, several workers.

Flower starts a new process for every message that a host gets. The workers stay: they are actors that outlive it,
known by the name of the folder the app runs from and by the hash of what the scenario uses, so that an app or a part
that was changed gets new ones, and two apps on one Ray each have their own. Those that have had nothing to do for a
while are ended by the next app's. A block's sums are the same whoever computes them.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flwr.app import Context

from clients.blocks.blocks import train_blocks
from clients.blocks.faults import Faults
from clients.blocks.pooled import train_pooled
from common.data import Prepared
from common.determinism import one_thread
from common.messages import TrainOrder, TrainReply
from common.messages.parts import concatenate_replies, parts
from common.scenario.uses import Use
from common.settings import read_settings

_NAMESPACE = "hothouse"
_DEATHS = 2
"""So often a block is done again when its worker dies."""
_FORGOTTEN = 3600.0
"""Seconds after which a worker of another app that had nothing to do is ended."""
_ANSWER = 1.0
"""Seconds in which a worker that has nothing to do says so."""


def train_with(context: Context, prepared: Prepared, order: TrainOrder, faults: Faults) -> TrainReply:
    """Train an order's blocks, with the workers of the Ray at the node config's `ray-address` where it has one."""
    if address := str(context.node_config.get("ray-address", "")):
        return _together(address, prepared, order, faults)
    return _alone(prepared, order, faults)


def _alone(prepared: Prepared, order: TrainOrder, faults: Faults) -> TrainReply:
    trained = train_pooled if read_settings(order.settings).strategy.pooled else train_blocks
    with one_thread():
        return trained(prepared, order, faults)


class BlockWorker:
    """A worker: trains one block at a time."""

    def __init__(self) -> None:
        self._worked = time.monotonic()

    def idle(self) -> float:
        """Seconds since it had something to do; there is no answer while it has."""
        return time.monotonic() - self._worked

    def train(self, folder: str, order: TrainOrder, faults: Faults) -> TrainReply:
        """The reply to an order, from the data in a folder."""
        try:
            return _alone(Prepared(folder), order, faults)
        finally:
            self._worked = time.monotonic()


def _together(address: str, prepared: Prepared, order: TrainOrder, faults: Faults) -> TrainReply:
    from ray.util import ActorPool

    folder, uses = str(prepared.folder), read_settings(order.settings).uses
    with _block_workers(address, uses, read_settings(order.settings).training.device) as members:
        answers = ActorPool(members).map(lambda member, part: member.train.remote(folder, part, faults), parts(order))
        return concatenate_replies(order.blocks, list(answers))


@contextmanager
def _block_workers(address: str, uses: Sequence[Use], device: str) -> Iterator[list[Any]]:
    """A worker for each of the Ray's processors or cards, those that are there already or new ones."""
    import ray

    ray.init(
        address=address,
        namespace=_NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )
    try:
        app = Path(__file__).parents[2]
        on_cards, resources = device == "cuda", ray.cluster_resources()
        workers = range(int(resources.get("GPU", 0) if on_cards else resources.get("CPU", 1)))
        wanted = {f"{_app_name(app, uses)}-{device}-{number}" for number in workers}
        _end_idle(set(ray.util.list_named_actors()) - wanted)
        options = {
            "num_gpus": int(on_cards),
            "num_cpus": 0,  # the old ones may still be there when the new ones come
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": -1,
            "max_task_retries": _DEATHS,
            "runtime_env": {"env_vars": {"PYTHONPATH": str(app)}},
        }
        member = ray.remote(BlockWorker)
        yield [member.options(name=name, **options).remote() for name in sorted(wanted)]
    finally:
        ray.shutdown()


def _app_name(app: Path, uses: Sequence[Use]) -> str:
    """What tells one app's workers from another's: its folder, and the hash of what the scenario uses."""
    if not uses:
        return app.name
    return f"{app.name}-{hashlib.blake2b(''.join(str(use.sha256) for use in uses).encode(), digest_size=6).hexdigest()}"


def _end_idle(names: set[str]) -> None:
    """End those of the named workers, which are other apps', that have had nothing to do for a while."""
    import ray

    asked = {}
    for name in sorted(names):
        # It may have ended meanwhile, or be of another release, which does not know the question.
        with suppress(ValueError, AttributeError):
            actor = ray.get_actor(name)
            asked[actor.idle.remote()] = actor
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER) if asked else ([], [])
    for answer in answered:
        with suppress(ray.exceptions.RayError):
            if ray.get(answer) > _FORGOTTEN:
                ray.kill(asked[answer])
