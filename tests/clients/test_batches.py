"""Every epoch takes every row once; padding counts for nothing; who has finished is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clients import batches as module
from clients.batches import batches, steps_of
from common import seeds
from common.scenario.training import Training

SHARDS = [np.arange(100, 119), np.arange(0, 10), np.array([7])]
KEYS = seeds.streams(0, "batches", 1, np.arange(3))


def seen(training: Training) -> list[list[list[int]]]:
    """For each client, the rows of each of its steps."""
    steps: list[list[list[int]]] = [[], [], []]
    for batch in batches(SHARDS, training, KEYS, torch.float64):
        assert torch.allclose(batch.shares.sum(dim=1), torch.ones(batch.active, dtype=torch.float64))
        for client in range(batch.active):
            steps[client].append(batch.positions[client][batch.shares[client] > 0].tolist())
    return steps


def test_an_epoch_takes_every_row_once() -> None:
    for client, steps in enumerate(seen(Training(epochs=3, batch_size=5))):
        per_epoch = -(-len(SHARDS[client]) // 5)
        for epoch in range(3):
            rows = [row for step in steps[epoch * per_epoch : (epoch + 1) * per_epoch] for row in step]
            assert sorted(rows) == SHARDS[client].tolist()


def test_epochs_have_orders_of_their_own() -> None:
    first, second = (np.concatenate(part) for part in np.split(np.array(seen(Training(epochs=2, batch_size=19))[0]), 2))
    assert first.tolist() != second.tolist()


def test_the_last_batch_of_an_epoch_may_be_smaller() -> None:
    assert [len(step) for step in seen(Training(epochs=1, batch_size=8))[0]] == [8, 8, 3]


def test_full_takes_the_whole_shard_in_every_step() -> None:
    assert [[len(step) for step in client] for client in seen(Training(epochs=2, batch_size="full"))] == [
        [19, 19],
        [10, 10],
        [1, 1],
    ]


def test_steps_go_on_through_epochs() -> None:
    assert [len(client) for client in seen(Training(steps=6, batch_size=5))] == [6, 6, 6]
    assert steps_of(np.array([19, 10, 1]), Training(steps=6)).tolist() == [6, 6, 6]


def test_planning_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(epochs=4, batch_size=3)
    whole = seen(training)
    monkeypatch.setattr(module, "_CHUNK", 1)
    assert seen(training) == whole
