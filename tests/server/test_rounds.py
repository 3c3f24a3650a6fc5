"""A round is what the textbook says, through the same messages that every run uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from common.arrays import NamedArrays
from common.selection.rules import select
from tests.federations import federation, named, ran, scenario, starting_weights, trained_alone

SIZES = [23, 5, 40, 1, 16, 17, 33, 2]


def assert_close(network: nn.Module, expected: NamedArrays, tolerance: float) -> None:
    for name, array in named(network).items():
        assert np.abs(array - expected[name]).max() <= tolerance


def test_rounds_equal_fedavg_computed_by_hand(tmp_path: Path) -> None:
    prepared = federation(tmp_path, SIZES)
    chosen = scenario(
        seed=5,
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
        model={"layers": [7], "dtype": "float64"},
        training={"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.5}},
        federation={"rounds": 3, "clients_per_round": 5, "blocks": 3},
    )
    weights = named(starting_weights(chosen, prepared))
    for number in (1, 2, 3):
        cohort = select(5, number, 8, 5).tolist()
        trained = [trained_alone(chosen, prepared, c, weights, number)[0] for c in cohort]
        sizes = [SIZES[client] for client in cohort]
        weights = {name: np.average([one[name] for one in trained], axis=0, weights=sizes) for name in weights}
    assert_close(ran(chosen, prepared).model.network, weights, 1e-12)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_full_batches_one_epoch_and_all_clients_are_gradient_descent_on_the_pooled_data(
    tmp_path: Path, task: str
) -> None:
    prepared = federation(tmp_path, SIZES, task)
    chosen = scenario(
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
        model={"layers": [7], "dtype": "float64"},
        training={"epochs": 1, "batch_size": "full", "optimizer": {"name": "sgd", "lr": 0.1}},
        federation={"rounds": 10, "clients_per_round": 1.0},
    )
    network = starting_weights(chosen, prepared)
    descent = torch.optim.SGD(network.parameters(), lr=0.1)
    x, y = torch.tensor(prepared.x), torch.tensor(prepared.y)
    criterion: nn.Module = nn.CrossEntropyLoss() if task == "classification" else nn.MSELoss()
    for _ in range(10):
        descent.zero_grad()
        criterion(network(x), y).backward()
        descent.step()
    assert_close(ran(chosen, prepared).model.network, named(network), 1e-12)


def test_a_round_tells_its_numbers(tmp_path: Path) -> None:
    prepared = federation(tmp_path, SIZES)
    chosen = scenario(
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
        model={"layers": [7]},
        federation={"rounds": 2, "clients_per_round": 5},
    )
    watcher = ran(chosen, prepared)
    assert [entry["round"] for entry in watcher.rounds] == [0, 1, 2]
    parameters = 6 * 7 + 7 + 7 * 3 + 3
    assert [entry["bytes_down"] for entry in watcher.rounds] == [0, 5 * 4 * parameters, 5 * 4 * parameters]
    assert [entry["clients"] for entry in watcher.rounds] == [0, 5, 5]
    cohort = select(0, 1, 8, 5)
    alone = [trained_alone(chosen, prepared, c) for c in cohort.tolist()]
    expected = np.average([loss for _, loss in alone], weights=np.array(SIZES)[cohort])
    assert watcher.rounds[1]["train_loss"] == pytest.approx(expected, abs=1e-6)
