"""Taking a reply apart, block by block."""

from __future__ import annotations

from common.extend.results import Block, BlockResult
from common.messages import TrainReply


def block_results(blocks: list[Block], reply: TrainReply) -> list[BlockResult]:
    """A reply, block by block."""
    results = []
    for position, (block, part) in enumerate(zip(blocks, reply.blocks.slices(), strict=True)):
        clients = set(block.clients.tolist()) if reply.excluded else set()
        results.append(
            BlockResult(
                block=block,
                weight=float(reply.weights[position]),
                sums={name: {k: a[position] for k, a in arrays.items()} for name, arrays in reply.sums.items()},
                rows={name: {k: a[part] for k, a in arrays.items()} for name, arrays in reply.rows.items()},
                metrics={name: array[part] for name, array in reply.metrics.items()},
                excluded={client: why for client, why in reply.excluded.items() if client in clients},
            )
        )
    return results
