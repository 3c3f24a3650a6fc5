"""What a preview shows of augmentation is what training sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from clients.augmentation import Pipeline
from clients.batches import batches
from clients.training.inputs import Augment, inputs_of
from common import seeds
from common.data.examples import open_examples
from hothouse.inspect.augmented import AugmentedData
from hothouse.inspect.check import check
from hothouse.inspect.side_by_side import changes
from tests.federations import data_spec


def test_a_preview_shows_what_training_sees(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    np.savez(tmp_path / "a.npz", x_train=rng.random((90, 5, 4)), y_train=np.arange(90) % 2)
    checked = check(
        {
            "seed": 9,
            "data": {
                "source": {"kind": "npz", "path": str(tmp_path / "a.npz")},
                "partition": {"scheme": "iid", "clients": 4},
            },
            "training": {"epochs": 2, "batch_size": 5, "augmentation": ["rotation", "noise", "feature_noise"]},
        }
    )
    prepared, training, round_number, ids = checked.prepared, checked.scenario.training, 2, np.array([3])
    mine = prepared.training_examples(3)
    every = np.concatenate([prepared.training_examples(client) for client in range(4)])
    spread = prepared.x[every].std(axis=0)
    augment = Augment.of(Pipeline(training.augmentation, prepared.meta, spread), 9, round_number, ids)
    rows = open_examples(prepared, replace(data_spec("classification", 20, (0, 1)), row_shape=(5, 4)), torch.float64)
    keys = seeds.streams(9, "batches", round_number, ids)
    trained_on: dict[int, np.ndarray] = {}
    for batch, x in inputs_of(batches([mine], training, keys, torch.float64), rows, None, augment):
        for row, numbers in zip(batch.positions[0].tolist(), x[0].numpy(), strict=True):
            trained_on.setdefault(row, numbers)
    for seen in AugmentedData(checked.scenario, prepared).seen(3, mine, rounds=3):
        assert np.array_equal(seen.before, prepared.x[seen.position])
        assert np.allclose(seen.after[round_number - 1], trained_on[seen.position], atol=1e-12)


def test_changes_in_a_text_are_marked() -> None:
    assert changes("win a prize", "win the prize") == "win <del>a</del><ins>the</ins> prize"
    assert changes("a b", "a b") == "a b"
    assert changes("<i> so", "so") == "<del>&lt;i&gt; </del>so"
