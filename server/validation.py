"""Whether a reply can be trusted as far as it can be checked: nothing else reaches a strategy."""

from __future__ import annotations

import numpy as np

from common.arrays import Named
from common.data.prepared import Indices
from common.messages import TrainReply
from server.blocks import Block
from server.results import BlockResult, block_results


class Refused(Exception):
    """A reply, or a block of it, that cannot be used; the message says why."""


class Validator:
    """Checks replies against what was asked and what is known."""

    def __init__(self, like: Named, sizes: dict[int, int]) -> None:
        """`like` are arrays of the names, shapes and types that weights have, `sizes` each client's rows."""
        self._like, self._sizes = like, sizes

    def blocks(self, asked: list[Block], reply: TrainReply) -> list[BlockResult | tuple[Block, str]]:
        """Each block's result, or why it is refused. Raises Refused for a reply that does not fit at all."""
        clients = np.concatenate([block.clients for block in asked])
        _expect(np.array_equal(reply.blocks.clients, clients), "it is about other clients than it was asked for")
        _expect(reply.blocks.sizes.tolist() == [len(block.clients) for block in asked], "it cuts other blocks")
        _expect(reply.weights.shape == (len(asked),), "it has not one weight per block")
        for name, array in reply.metrics.items():
            _expect(array.shape == clients.shape, f"its {name} are not one number per client")
        for name in ("examples", "train_loss"):
            _expect(name in reply.metrics, f"it has no {name}")
        for sums in reply.sums.values():
            self._check_like(sums, len(asked))
        for rows in reply.rows.values():
            self._check_like(rows, len(clients))
        _expect(set(reply.excluded) <= set(clients.tolist()), "it excludes clients that it was not asked for")
        return [self._checked(result) for result in block_results(asked, reply)]

    def _check_like(self, arrays: Named, rows: int) -> None:
        _expect(set(arrays) == set(self._like), f"it has weights named {sorted(arrays)}")
        for name, array in arrays.items():
            like = self._like[name]
            expected = (rows, *like.shape)
            _expect(array.shape == expected, f"its {name} has the shape {array.shape}, not {expected}")
            _expect(array.dtype == like.dtype, f"its {name} is {array.dtype}, not {like.dtype}")

    def _checked(self, result: BlockResult) -> BlockResult | tuple[Block, str]:
        try:
            self._check_numbers(result)
        except Refused as refusal:
            return result.block, str(refusal)
        return result

    def _check_numbers(self, result: BlockResult) -> None:
        clients: Indices = result.block.clients
        rows = np.array([0 if c in result.excluded else self._sizes[c] for c in clients.tolist()])
        _expect(np.array_equal(result.metrics["examples"], rows), "it claims other numbers of rows than there are")
        _expect(result.weight == rows.sum(), f"it claims a weight of {result.weight:g} for {rows.sum()} rows")
        for arrays in (*result.sums.values(), *result.rows.values()):
            for name, array in arrays.items():
                _expect(bool(np.isfinite(array).all()), f"its {name} is not finite")


def _expect(holds: bool, complaint: str) -> None:
    if not holds:
        raise Refused(complaint)
