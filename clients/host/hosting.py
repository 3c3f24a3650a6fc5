"""Which of the clients in a host's data folder the host answers for."""

from __future__ import annotations

import numpy as np
from flwr.app import Context

from common.data.prepared import Indices, Prepared


def hosted_clients(prepared: Prepared, context: Context) -> Indices:
    """Positions in `prepared.clients` of this host's clients, ascending.

    A host with a `partition-id` among `num-partitions` has every client whose id leaves that remainder, so
    that a client lives on exactly one; a host without one has all that its folder holds.
    """
    everyone = np.arange(len(prepared.clients))
    if "partition-id" not in context.node_config:
        return everyone
    mine, hosts = int(context.node_config["partition-id"]), int(context.node_config["num-partitions"])
    here: Indices = everyone[prepared.clients % hosts == mine]
    return here
