"""Training in stacks equals training each client alone with torch.nn and torch.optim on the same batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clients.blocks import stack_width, train_blocks
from common.arrays import Named
from common.data import Prepared
from common.messages import TrainReply
from common.scenario import Scenario
from tests.federations import federation, scenario, train_order, trained_alone

RAGGED = [23, 5, 40, 1, 16, 17, 33, 2]
"""Rows per client: full batches and partial ones, many steps and a single one, in no order."""

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


@pytest.fixture(params=["classification", "regression"])
def prepared(request: pytest.FixtureRequest, tmp_path: Path) -> Prepared:
    return federation(tmp_path, RAGGED, request.param)


def one_each(chosen: Scenario, prepared: Prepared) -> list[Named]:
    """Every client's own weights after training all of them in one message, a block each."""
    clients = list(range(len(RAGGED)))
    reply = train_blocks(prepared, train_order(chosen, prepared, [[client] for client in clients]))
    return [mean(reply, block) for block in clients]


def mean(reply: TrainReply, block: int) -> Named:
    return {name: array[block] / reply.weights[block] for name, array in reply.sums["parameters"].items()}


def assert_close(one: Named, other: Named, tolerance: float) -> None:
    for name in other:
        assert np.abs(one[name] - other[name]).max() <= tolerance, name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    "length",
    [{"epochs": 2, "batch_size": 8}, {"steps": 7, "batch_size": 8}, {"epochs": 3, "batch_size": "full"}],
    ids=["epochs", "steps", "full batch"],
)
def test_a_block_is_the_sum_of_its_clients_each_trained_alone(
    prepared: Prepared, dtype: str, momentum: float, length: dict[str, Any]
) -> None:
    chosen = scenario(
        seed=11,
        model={"layers": [7, 5], "dtype": dtype},
        training={**length, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": momentum}, "stack": 5},
    )
    cohort = [6, 0, 3, 2, 7, 1, 5, 4]
    reply = train_blocks(prepared, train_order(chosen, prepared, [cohort]))
    alone = [
        trained_alone(chosen, prepared, client, lambda p: torch.optim.SGD(p, lr=0.1, momentum=momentum))
        for client in cohort
    ]
    weights = np.array([RAGGED[client] for client in cohort])
    assert reply.weights.tolist() == [weights.sum()]
    expected = {name: np.average([one[name] for one, _ in alone], axis=0, weights=weights) for name in alone[0][0]}
    assert_close(mean(reply, 0), expected, TOLERANCE[dtype])
    assert np.allclose(reply.metrics["train_loss"], [loss for _, loss in alone], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("stack", [1, 3, 8])
def test_how_many_clients_are_stacked_changes_none_of_them(prepared: Prepared, stack: int) -> None:
    chosen = scenario(
        model={"layers": [7], "dtype": "float64"},
        training={
            "epochs": 2,
            "batch_size": 8,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
            "stack": stack,
        },
    )
    reply = train_blocks(prepared, train_order(chosen, prepared, [list(range(8))]))
    alone = one_each(chosen, prepared)
    weights = np.array(RAGGED)
    expected = {name: np.average([one[name] for one in alone], axis=0, weights=weights) for name in alone[0]}
    assert_close(mean(reply, 0), expected, 1e-12)


def test_momentum_does_not_move_a_client_that_has_no_batches_left(tmp_path: Path) -> None:
    prepared = federation(tmp_path, [8, 80])
    chosen = scenario(
        model={"layers": [4], "dtype": "float64"},
        training={"epochs": 1, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}},
    )
    together = train_blocks(prepared, train_order(chosen, prepared, [[0, 1]]))
    short, long = (trained_alone(chosen, prepared, c, lambda p: torch.optim.SGD(p, 0.1, 0.9))[0] for c in (0, 1))
    assert together.metrics["steps"].tolist() == [1, 10]
    assert_close(mean(together, 0), {name: (8 * short[name] + 80 * long[name]) / 88 for name in short}, 1e-12)


def test_clients_may_have_rates_and_starts_of_their_own(prepared: Prepared) -> None:
    rates = np.linspace(0.01, 0.3, 8)
    chosen = scenario(model={"layers": [4], "dtype": "float64"}, training={"batch_size": 8, "stack": 8})
    order = train_order(chosen, prepared, [[client] for client in range(8)], values={"optimizer.lr": rates})
    rng = np.random.default_rng(0)
    starts = {name: rng.normal(size=(8, *array.shape)) * 0.1 for name, array in order.parameters.items()}
    order.parameters, order.per_client = starts, True
    reply = train_blocks(prepared, order)
    for client in range(8):
        start = {name: array[client] for name, array in starts.items()}
        rate = float(rates[client])
        alone, _ = trained_alone(chosen, prepared, client, lambda p, lr=rate: torch.optim.SGD(p, lr), start)
        assert_close(mean(reply, client), alone, 1e-12)


def test_which_blocks_travel_together_changes_no_bit(prepared: Prepared) -> None:
    chosen = scenario(model={"layers": [7]}, training={"epochs": 2, "batch_size": 8, "stack": 2})
    blocks = [[0, 1, 2], [3, 4], [5, 6, 7]]
    together = train_blocks(prepared, train_order(chosen, prepared, blocks))
    for index in (2, 0, 1):
        apart = train_blocks(prepared, train_order(chosen, prepared, [blocks[index]]))
        for name, array in apart.sums["parameters"].items():
            assert array[0].tobytes() == together.sums["parameters"][name][index].tobytes()


def test_a_client_that_diverges_is_left_out_and_named(tmp_path: Path) -> None:
    prepared = federation(tmp_path, [16, 16, 16], "regression")
    rates = {"optimizer.lr": np.array([0.01, 1e30, 0.01])}
    chosen = scenario(model={"layers": [4]}, training={"epochs": 5, "batch_size": 8})
    reply = train_blocks(prepared, train_order(chosen, prepared, [[0, 1, 2]], values=rates))
    without = train_blocks(
        prepared, train_order(chosen, prepared, [[0, 2]], values={"optimizer.lr": np.array([0.01, 0.01])})
    )
    assert list(reply.excluded) == [1]
    assert reply.weights.tolist() == [32.0]
    assert reply.metrics["examples"].tolist() == [16, 0, 16]
    assert_close(mean(reply, 0), mean(without, 0), 1e-6)


def test_stacks_follow_from_the_models_size() -> None:
    assert stack_width(2_410) == 64
    assert stack_width(199_210) == 5
    assert stack_width(10_000_000) == 1
