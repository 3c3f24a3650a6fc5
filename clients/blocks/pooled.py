"""Training a block's clients as if they were one: the union of their examples, in cohort order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clients.blocks.blocks import train_blocks
from clients.blocks.faults import Faults
from common.data.prepared import Indices, Prepared, Shards
from common.messages import Blocks, TrainOrder, TrainReply


class PooledClients(Prepared):
    """A folder in which the first client of each block has the examples of all."""

    def __init__(self, prepared: Prepared, blocks: Blocks) -> None:
        super().__init__(prepared.folder)
        self._members = {int(blocks.clients[part.start]): blocks.clients[part] for part in blocks.slices()}

    def training_examples(self, client: int) -> Indices:
        """Positions in `x` of the examples that the pool trains on."""
        return np.concatenate(
            [super(PooledClients, self).training_examples(int(member)) for member in self._members[client]]
        )

    def training_shards(self, clients: Indices) -> Shards:
        """The same for several pools at once, in their order."""
        return Shards.of([self.training_examples(client) for client in clients.tolist()])

    def holdout_examples(self, client: int) -> Indices:
        """Positions in `x` of the examples that the pool evaluates on."""
        return np.concatenate(
            [super(PooledClients, self).holdout_examples(int(member)) for member in self._members[client]]
        )


def train_pooled(prepared: Prepared, order: TrainOrder, faults: Faults | None = None) -> TrainReply:
    """Train each block's clients as one; what comes of it counts for each of them.

    Draws are those of the block's first client.
    """
    blocks = order.blocks
    firsts = np.array([part.start for part in blocks.slices()])
    ones = Blocks(blocks.clients[firsts], np.ones(len(firsts), dtype=np.int64))
    one_each = replace(
        order,
        blocks=ones,
        values={name: vector[firsts] for name, vector in order.values.items()},
        state={name: rows[firsts] for name, rows in order.state.items()},
        fresh=None if order.fresh is None else order.fresh[firsts],
    )
    reply = train_blocks(PooledClients(prepared, blocks), one_each, faults)
    if reply.too_wide:
        return replace(reply, blocks=blocks)
    pool = np.repeat(np.arange(len(firsts)), blocks.sizes)
    usable = reply.metrics["examples"][pool] > 0
    metrics = {name: values[pool] for name, values in reply.metrics.items()}
    metrics["examples"] = prepared.training_shards(blocks.clients).sizes * usable.astype(np.float64)
    reasons = {int(clients): reply.excluded.get(int(clients)) for clients in ones.clients}
    owners = dict(zip(blocks.clients.tolist(), ones.clients[pool].tolist(), strict=True))
    return replace(
        reply,
        blocks=blocks,
        metrics=metrics,
        excluded={client: reason for client, owner in owners.items() if (reason := reasons[owner]) is not None},
        state=None if reply.state is None else {name: rows[pool] for name, rows in reply.state.items()},
    )
