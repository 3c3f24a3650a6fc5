"""A train message's blocks one by one, for workers that share them, and their replies together again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.arrays import NamedArrays
from common.messages.blocks import Blocks
from common.messages.train import TrainOrder, TrainReply


def parts(order: TrainOrder) -> list[TrainOrder]:
    """An order for each block."""
    return [_part(order, block, places) for block, places in enumerate(order.blocks.slices())]


def concatenate_replies(blocks: Blocks, replies: list[TrainReply]) -> TrainReply:
    """The reply to an order whose blocks were answered one by one: the same as if they had been answered at once."""
    if too_wide := max(reply.too_wide for reply in replies):
        return TrainReply(blocks, np.zeros(len(blocks.sizes)), too_wide=too_wide)
    clients = [len(reply.blocks.clients) for reply in replies]
    ones = [1] * len(replies)
    states = [reply.state for reply in replies if reply.state is not None]
    sums = {kind: [reply.sums.get(kind, {}) for reply in replies] for reply in replies for kind in reply.sums}
    rows = {kind: [reply.rows.get(kind, {}) for reply in replies] for reply in replies for kind in reply.rows}
    return TrainReply(
        blocks=blocks,
        weights=np.concatenate([reply.weights for reply in replies]),
        sums={kind: _concatenate(arrays, ones) for kind, arrays in sums.items()},
        rows={kind: _concatenate(arrays, clients) for kind, arrays in rows.items()},
        metrics=_concatenate([reply.metrics for reply in replies], clients),
        excluded={client: reason for reply in replies for client, reason in reply.excluded.items()},
        state=_concatenate(states, clients) if states else None,
    )


def _part(order: TrainOrder, block: int, places: slice) -> TrainOrder:
    def own(arrays: NamedArrays) -> NamedArrays:
        return {name: array[places] for name, array in arrays.items()}

    return replace(
        order,
        blocks=Blocks(order.blocks.clients[places], order.blocks.sizes[block : block + 1]),
        starts=order.starts.among(np.arange(places.start, places.stop)),
        own={name: own(arrays) for name, arrays in order.own.items()},
        values=own(order.values),
        state=own(order.state),
        fresh=None if order.fresh is None else order.fresh[places],
    )


def _concatenate(arrays: list[NamedArrays], lengths: list[int]) -> NamedArrays:
    """Arrays by name, one part after the other; a part without one has zeros: none of its clients could be trained."""
    like = {name: array for part in arrays for name, array in part.items()}
    empty = {name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in like.items()}
    return {
        name: np.concatenate(
            [part.get(name, np.repeat(empty[name], n, axis=0)) for part, n in zip(arrays, lengths, strict=True)]
        )
        for name in like
    }
