"""Clients' examples are partly IID and partly sorted by label, as in SCAFFOLD's experiments."""

from __future__ import annotations

import numpy as np
import pytest

from common.data import Prepared, prepare
from common.data.column_statistics import label_counts
from common.scenario import load_scenario


def cut(share: float, clients: int = 20) -> Prepared:
    source = {"kind": "teacher", "rows": 4000, "features": 4, "classes": 10}
    partition = {"scheme": "similarity", "clients": clients, "share": share}
    return prepare(load_scenario({"data": {"source": source, "partition": partition}}))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 1.0])
def test_every_row_is_somebodys_and_sizes_are_even(share: float) -> None:
    prepared = cut(share, 7)
    rows = np.concatenate([prepared.training_examples(client) for client in range(7)])
    assert sorted(rows.tolist()) == list(range(4000))
    assert np.ptp(prepared.training_sizes) <= 1


def test_nothing_alike_is_sorted_by_label_and_all_alike_is_iid() -> None:
    counts = label_counts(cut(0.0))
    assert ((counts > 0).sum(axis=1) <= 3).all(), "a client's piece spans few labels"
    shares = label_counts(cut(0.0)).sum(axis=0) / 4000
    even = label_counts(cut(1.0)) / 200
    assert np.abs(even - shares).max() < 0.12


def test_the_alike_part_is_so_large() -> None:
    """Of a label that a client has none of in its sorted part, it has about its share of the IID part."""
    counts, everywhere = label_counts(cut(0.4)), label_counts(cut(0.0)).sum(axis=0)
    expected = 0.4 * 200 * everywhere / 4000
    typical = np.median(counts, axis=0)
    assert np.abs(typical - expected).max() < 6
