"""Documents that are shared out as a whole: their tokens are examples, and none is seen without those before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Indices, Prepared, Shards
from common.data.table import Table
from common.data.tokens import join_tokens


def documents_of(table: Table) -> Table:
    """A row for each document of a table of tokens, to be partitioned: nothing but whose it is."""
    assert table.documents is not None, "a table of other rows"
    count = len(table.documents)
    return Table(
        np.zeros((count, 0)),
        np.zeros((count, 1)),
        "regression",
        groups=table.groups,
        group_names=table.group_names,
        hints=table.hints,
    )


def token_positions(table: Table, documents: Indices) -> Indices:
    """The rows of these documents' tokens, document after document."""
    starts, lengths = _extent(table)
    chosen = lengths[documents]
    before = np.cumsum(chosen) - chosen
    positions: Indices = np.arange(chosen.sum()) + np.repeat(starts[documents] - before, chosen)
    return positions


def token_shards(table: Table, shards: Shards, held: Indices) -> tuple[Shards, Indices]:
    """Shards of tokens from shards of documents, of which each client's last `held` are held out, as are its tokens."""
    _, lengths = _extent(table)
    sizes = np.add.reduceat(lengths[shards.positions], shards.starts()[:-1])
    kept_back = np.arange(len(shards.positions)) >= (shards.starts()[1:] - held)[shards.owners()]
    tokens = np.bincount(shards.owners()[kept_back], lengths[shards.positions[kept_back]], len(sizes))
    return Shards(token_positions(table, shards.positions), sizes), tokens.astype(np.int64)


def _extent(table: Table) -> tuple[Indices, NDArray[np.int64]]:
    """Where each document begins, and how many tokens it has."""
    starts = np.asarray(table.documents)
    return starts, np.diff(starts, append=len(table.y))


def document_texts(prepared: Prepared, positions: Indices) -> Iterator[str]:
    """The texts of the documents at `positions`, which hold all of a document's tokens one after the other."""
    assert prepared.meta.sequence is not None, "no documents"
    places = np.asarray(prepared.x[positions, 0])
    labels = [str(token) for token in prepared.meta.labels]
    for codes in np.split(np.asarray(prepared.y[positions]), np.flatnonzero(places == 0)[1:]):
        yield join_tokens([labels[code] for code in codes.tolist()], prepared.meta.sequence.unit)
