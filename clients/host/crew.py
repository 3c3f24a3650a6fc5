"""Who trains a host's blocks: the process that got the message or, where a Ray was started beside it, several workers.

Flower starts a new process for every message that a host gets. The workers stay: they are actors that outlive it,
known by the name of the folder the app runs from, so that an app that was changed gets new ones. A block's sums are
the same whoever computes them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flwr.app import Context

from clients.host.faults import Faults
from clients.training.blocks import train_blocks
from clients.training.pooled import train_pooled
from common.data import Prepared
from common.determinism import one_thread
from common.messages import TrainOrder, TrainReply
from common.messages.parts import parts, together
from common.settings import read_settings

_NAMESPACE = "hothouse"
_DEATHS = 2
"""So often a block is done again when its worker dies."""


def train_with(context: Context, prepared: Prepared, order: TrainOrder, faults: Faults) -> TrainReply:
    """Train an order's blocks, with the workers of the Ray at the node config's `ray-address` where it has one."""
    if address := str(context.node_config.get("ray-address", "")):
        return _together(address, prepared, order, faults)
    return _alone(prepared, order, faults)


def _alone(prepared: Prepared, order: TrainOrder, faults: Faults) -> TrainReply:
    trained = train_pooled if read_settings(order.settings).strategy.pooled else train_blocks
    with one_thread():
        return trained(prepared, order, faults)


class Member:
    """A worker: trains one block at a time."""

    def train(self, folder: str, order: TrainOrder, faults: Faults) -> TrainReply:
        """The reply to an order, from the data in a folder."""
        return _alone(Prepared(folder), order, faults)


def _together(address: str, prepared: Prepared, order: TrainOrder, faults: Faults) -> TrainReply:
    from ray.util import ActorPool

    folder = str(prepared.folder)
    with _crew(address) as members:
        answers = ActorPool(members).map(lambda member, part: member.train.remote(folder, part, faults), parts(order))
        return together(order.blocks, list(answers))


@contextmanager
def _crew(address: str) -> Iterator[list[Any]]:
    """A worker for each of the Ray's processors, those that are there already or new ones."""
    import ray

    ray.init(
        address=address,
        namespace=_NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )
    try:
        app = Path(__file__).parents[1]
        wanted = {f"{app.name}-{number}" for number in range(int(ray.cluster_resources().get("CPU", 1)))}
        for stranger in set(ray.util.list_named_actors()) - wanted:
            ray.kill(ray.get_actor(stranger))
        options = {
            "num_cpus": 0,  # the old ones may still be there when the new ones come
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": -1,
            "max_task_retries": _DEATHS,
            "runtime_env": {"env_vars": {"PYTHONPATH": str(app)}},
        }
        member = ray.remote(Member)
        yield [member.options(name=name, **options).remote() for name in sorted(wanted)]
    finally:
        ray.shutdown()
