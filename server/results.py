"""What came back for each block of a round."""

from __future__ import annotations

from dataclasses import dataclass

from common.arrays import Named
from common.messages import TrainReply
from server.blocks import Block


@dataclass(frozen=True)
class BlockResult:
    """One block's part of a reply."""

    block: Block
    weight: float
    """The training rows behind the sums."""
    sums: dict[str, Named]
    """Named weighted sums: {"parameters": {name: Σ rows·θ}}, and what else the algorithm sends."""
    rows: dict[str, Named]
    """Named arrays of each of the block's clients, for strategies that look at each: (clients, *shape)."""
    metrics: Named
    """Numbers of each of the block's clients, (clients,)."""
    excluded: dict[int, str]
    """Clients that are in no sum, and why."""

    def mean(self, name: str = "parameters") -> Named:
        """The weighted mean of the block's clients."""
        return {key: total / total.dtype.type(self.weight) for key, total in self.sums[name].items()}


def block_results(blocks: list[Block], reply: TrainReply) -> list[BlockResult]:
    """A reply, block by block."""
    results = []
    for position, (block, part) in enumerate(zip(blocks, reply.blocks.slices(), strict=True)):
        clients = set(block.clients.tolist())
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
