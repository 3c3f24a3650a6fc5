"""What came back for each block of a round."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.arrays import Named
from common.messages import BUFFERS, TrainReply
from server.exchange.blocks import Block


@dataclass(frozen=True)
class BlockResult:
    """One block's part of a reply."""

    block: Block
    weight: float
    """What the clients behind the sums count for in all: their training rows, mostly."""
    sums: dict[str, Named]
    """Named weighted sums: {"parameters": {name: Σ rows·θ}}, and what else the algorithm sends."""
    rows: dict[str, Named]
    """Named arrays of each of the block's clients, for strategies that look at each: (clients, *shape)."""
    metrics: Named
    """Numbers of each of the block's clients, (clients,)."""
    excluded: dict[int, str]
    """Clients that are in no sum, and why."""
    refused: dict[int, str] = field(default_factory=dict)
    """Clients that sent what no honest one can, and why: they count as if they had not taken part."""


def total(results: list[BlockResult], name: str = "parameters") -> Named:
    """The weighted sum over all clients of the results, added up in block order."""
    totals = {key: array.copy() for key, array in results[0].sums[name].items()}
    for result in results[1:]:
        for key, array in totals.items():
            array += result.sums[name][key]
    return totals


def mean(results: list[BlockResult], name: str = "parameters") -> Named:
    """The weighted mean over all clients of the results, added up in block order."""
    weight = sum(result.weight for result in results)
    return {key: array / array.dtype.type(weight) for key, array in total(results, name).items()}


def told(results: list[BlockResult], *names: str) -> list[NDArray[Any]]:
    """These numbers of each client that took part, in block order: (clients,) each."""
    took_part = [result.metrics["examples"] > 0 for result in results]
    return [
        np.concatenate([result.metrics[name][chosen] for result, chosen in zip(results, took_part, strict=True)])
        for name in names
    ]


def each(results: list[BlockResult]) -> Named:
    """The parameters and buffers of each client that took part, in block order: (clients, *shape)."""
    took_part = [result.metrics["examples"] > 0 for result in results]
    return {
        name: np.concatenate([result.rows[kind][name][who] for result, who in zip(results, took_part, strict=True)])
        for kind in ("parameters", BUFFERS)
        for name in results[0].rows.get(kind, {})
    }


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
