"""Sums over clients' training examples, from which the server learns how to scale columns and which words to count."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from common.data.median import counts
from common.data.moments import Moments
from common.data.prepared import Indices, Prepared
from common.data.text import document_frequencies
from common.messages import Blocks


def block_moments(prepared: Prepared, blocks: Blocks) -> list[Moments]:
    """The moments of each block's training examples: raw features, then a regression's targets."""
    return [_moments(prepared, blocks.clients[part]) for part in blocks.slices()]


def block_labels(prepared: Prepared, blocks: Blocks) -> list[Counter[str]]:
    """How many of each block's training examples have each label, by its text."""
    names = [str(label) for label in prepared.meta.labels]
    found = []
    for part in blocks.slices():
        counts = np.bincount(prepared.y[_positions(prepared, blocks.clients[part])], minlength=len(names))
        found.append(Counter({name: int(count) for name, count in zip(names, counts, strict=True) if count}))
    return found


def block_terms(prepared: Prepared, blocks: Blocks) -> list[Counter[str]]:
    """In how many of each block's training texts each term occurs."""
    form = prepared.meta.text
    if form is None:
        raise ValueError("the examples here are no texts")
    texts = prepared.texts
    return [
        document_frequencies(
            (texts[position] for position in _positions(prepared, blocks.clients[part]).tolist()), form.rule
        )
        for part in blocks.slices()
    ]


def digit_counts(
    prepared: Prepared, blocks: Blocks, columns: Indices, prefixes: NDArray[np.uint64], known: int
) -> NDArray[np.int64]:
    """Over all the blocks' training examples, what `common.data.median.counts` gives for these raw features."""
    return counts(prepared.x[_positions(prepared, blocks.clients)][:, columns].astype(np.float64), prefixes, known)


def _moments(prepared: Prepared, clients: Indices) -> Moments:
    positions = _positions(prepared, clients)
    columns = prepared.x[positions].astype(np.float64)
    if prepared.meta.targets:
        columns = np.concatenate([columns, prepared.y[positions]], axis=1)
    return Moments.of(columns)


def _positions(prepared: Prepared, clients: Indices) -> Indices:
    return np.concatenate([prepared.training_examples(int(client)) for client in clients])
