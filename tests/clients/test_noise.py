"""Dropout and drop connect: masks as they are defined, plain PyTorch with them, and how often they fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clients.batches import Batch
from clients.blocks.blocks import train_blocks
from clients.regularization.dropout import Noise
from common.data import Prepared
from common.models import build
from common.scenario.model import MLPModel
from tests.clients.test_truth import RAGGED, Trainer, assert_close, either, one_each
from tests.federations import agreed, federation, scenario, train_order, trained_alone

DROPPING: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.4},
    "dropout by layer": {"dropout": [0.0, 0.6]},
    "inputs": {"input_dropout": 0.3},
    "connections": {"drop_connect": 0.35},
    "everything": {"dropout": [0.2, 0.5], "input_dropout": 0.1, "drop_connect": 0.2, "normalization": "batch"},
}


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return federation(tmp_path, RAGGED)


@pytest.mark.parametrize("kind", DROPPING)
@either()
def test_training_is_plain_pytorchs_with_the_same_masks(prepared: Prepared, by: Trainer, kind: str) -> None:
    chosen = scenario(
        seed=4,
        model={"layers": [7, 5], "activation": "tanh", "dtype": by.dtype, **DROPPING[kind]},
        training={
            "trainer": by.engine,
            "epochs": 2,
            "batch_size": 8,
            "optimizer": {"name": "sgd", "lr": 0.1},
            "stack": 5,
        },
    )
    for client, mine in enumerate(one_each(chosen, prepared, round_number=3)):
        assert_close(
            mine,
            trained_alone(chosen, prepared, client, round_number=3)[0],
            by.tolerance if by.dtype == "float64" else 2e-5,
        )
    undropped = {**chosen.model.model_dump(), "dropout": 0.0, "input_dropout": 0.0, "drop_connect": 0.0}
    without = chosen.model_copy(update={"model": MLPModel.model_validate(undropped)})
    one, other = one_each(chosen, prepared)[0], one_each(without, prepared)[0]
    assert any(np.abs(one[name] - other[name]).max() > 1e-3 for name in one), "nothing is dropped"


@pytest.mark.parametrize("stack", [1, 3])
def test_masks_do_not_depend_on_who_else_is_in_a_stack(prepared: Prepared, stack: int) -> None:
    def trained(width: int, clients: list[int]) -> dict[str, np.ndarray]:
        chosen = scenario(
            model={"layers": [7], "dtype": "float64", **DROPPING["dropout"], "input_dropout": 0.2, "drop_connect": 0.1},
            training={"epochs": 2, "batch_size": 8, "mixup": 0.4, "stack": width},
        )
        reply = train_blocks(prepared, train_order(chosen, prepared, [[client] for client in clients]))
        return {name: array[clients.index(3)] for name, array in reply.sums["parameters"].items()}

    assert_close(trained(stack, [3, 1]), trained(8, list(range(8))), 1e-12)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_so_many_units_are_dropped_and_what_remains_makes_good_for_them(rate: float) -> None:
    noise = Noise(MLPModel(layers=(50,), dropout=rate), 1, 1, np.arange(40))
    seen = []
    for step in range(5):
        nothing = torch.empty(0, dtype=torch.int64)
        noise.begin(Batch(step, 0, nothing, torch.empty(0), np.empty(0, np.int64)))
        seen.append(noise.drop_units(0, torch.ones(40, 11, 50)))
    units = torch.stack(seen)
    kept = units[units != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - rate)))
    # 110,000 independent draws: five standard deviations.
    assert (units == 0).double().mean().item() == pytest.approx(
        rate, abs=5 * (rate * (1 - rate) / units.numel()) ** 0.5
    )
    for axis in (units[0, 0], units[0, 1]), (units[0, 0], units[1, 0]), (units[0, 0, :5], units[0, 0, 5:10]):
        assert not torch.equal(*axis), "clients, steps and rows have masks of their own"


def test_a_model_in_use_drops_nothing(prepared: Prepared) -> None:
    spec = MLPModel(layers=(6,), dropout=0.5, input_dropout=0.5, drop_connect=0.5)
    network = build(spec, agreed(prepared), 0).eval()
    plain = build(MLPModel(layers=(6,)), agreed(prepared), 0).eval()
    x = torch.randn(9, 6)
    assert torch.equal(network(x), plain(x))
    stacked = {name: tensor.unsqueeze(0) for name, tensor in network.state_dict().items()}
    assert torch.allclose(network.forward_stack(stacked, x.unsqueeze(0))[0], plain(x), atol=1e-6)
