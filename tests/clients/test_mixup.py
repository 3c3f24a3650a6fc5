"""Mixup: mixtures of a batch's own rows, and shares of a beta distribution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import beta, chisquare, kstest

from clients.batches import Batch
from clients.regularization.mixup import Mixup
from tests.clients.test_truth import RAGGED, Trainer, assert_close, either, one_each
from tests.federations import federation, scenario, trained_alone


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("alpha", [0.2, 2.0])
@either()
def test_training_is_plain_pytorchs_on_the_same_mixtures(tmp_path: Path, by: Trainer, task: str, alpha: float) -> None:
    prepared = federation(tmp_path, RAGGED, task)
    chosen = scenario(
        model={"layers": [7], "activation": "tanh", "dtype": by.dtype},
        training={
            "trainer": by.engine,
            "epochs": 2,
            "batch_size": 8,
            "optimizer": {"name": "sgd", "lr": 0.1},
            "stack": 5,
            "mixup": alpha,
        },
    )
    for client, mine in enumerate(one_each(chosen, prepared, round_number=2)):
        assert_close(mine, trained_alone(chosen, prepared, client, round_number=2)[0], by.tolerance)


@either()
def test_class_weights_hold_for_both_parts_of_a_mixture(tmp_path: Path, by: Trainer) -> None:
    prepared = federation(tmp_path, RAGGED)
    loss = {"name": "cross_entropy", "class_weights": {"0": 3.0, "1": 0.2}}
    chosen = scenario(
        model={"layers": [7], "dtype": by.dtype},
        training={"trainer": by.engine, "batch_size": 8, "loss": loss, "stack": 5, "mixup": 1.0},
    )
    for client, mine in enumerate(one_each(chosen, prepared)):
        assert_close(mine, trained_alone(chosen, prepared, client)[0], by.tolerance)


def batch(rows: list[int], width: int, step: int = 0) -> Batch:
    """A step of clients with so many real rows each, padded to one width."""
    shares = torch.zeros(len(rows), width, dtype=torch.float64)
    for client, count in enumerate(rows):
        shares[client, :count] = 1 / count
    positions = torch.zeros(len(rows), width, dtype=torch.int64)
    return Batch(step, len(rows), positions, shares, np.array(rows))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    mixup = Mixup(alpha, 5, 1, np.arange(400))
    shares = np.concatenate([mixup(batch([1] * 400, 1, step))[0].numpy() for step in range(5)])
    assert kstest(shares, beta(alpha, alpha).cdf).pvalue > 0.01
    inner = shares[shares < 0.999]
    assert len(np.unique(inner)) == len(inner), "every client and step has a share of its own"


def test_partners_are_the_batchs_own_rows_in_a_random_order() -> None:
    rows = [6, 1, 4] * 400
    _, partners = Mixup(1.0, 5, 1, np.arange(1200))(batch(rows, 6))
    for count, own in zip(rows, partners.tolist(), strict=True):
        assert sorted(own[:count]) == list(range(count))
        assert own[count:] == list(range(count, 6))
    firsts = np.bincount([own[0] for count, own in zip(rows, partners.tolist(), strict=True) if count == 4])
    assert chisquare(firsts).pvalue > 0.01
