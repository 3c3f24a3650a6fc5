"""Cutting a cohort into blocks: the unit of dispatch, of retry and of summation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Indices
from common.extend.results import Block
from server.exchange.costs import Seconds


def cut(cohort: Indices, costs: Seconds, blocks: int, owners: NDArray[np.int64] | None = None) -> list[Block]:
    """A cohort in at most `blocks` blocks of nearly equal numbers of clients, by cohort order alone.

    `costs` and `owners` have an entry per client of the cohort. Where clients have owners, every owner's
    clients are cut by themselves, into a share of the blocks.
    """
    homes: list[tuple[int | None, Indices]] = [(None, np.arange(len(cohort)))]
    if owners is not None:
        homes = [(int(node), np.flatnonzero(owners == node)) for node in np.unique(owners)]
    share = -(-blocks // len(homes))
    made: list[Block] = []
    for node, members in homes:
        for places in np.array_split(members, min(share, len(members))):
            made.append(Block(len(made), cohort[places], places, float(costs[places].sum()), node))
    return made
