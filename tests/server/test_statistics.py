"""The running statistics that the global model is used with: the clients' mean, or those of all rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from common.arrays import NamedArrays
from common.data import Prepared
from common.scenario import Scenario
from tests.federations import FEATURES, federation, named, scenario, trained_alone
from tests.plain import Plain
from tests.server.test_rounds import ran

SIZES = [23, 5, 40, 2, 16, 17]


def normalized(statistics: str, **more: object) -> Scenario:
    return scenario(
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 6}},
        model={
            "layers": [7, 5],
            "normalization": {"name": "batch", "statistics": statistics},
            "dropout": 0.2,
            "dtype": "float64",
        },
        training={"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1}},
        federation={"rounds": 1, "clients_per_round": 6, "blocks": 3, **more},
    )


def averaged(chosen: Scenario, prepared: Prepared) -> NamedArrays:
    """Round 1's parameters and statistics, each the mean of the clients' own by rows."""
    alone = [trained_alone(chosen, prepared, client)[0] for client in range(len(SIZES))]
    return {name: np.average([one[name] for one in alone], axis=0, weights=SIZES) for name in alone[0]}


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return federation(tmp_path, SIZES)


def test_averaged_statistics_are_the_mean_of_the_clients_by_rows(prepared: Prepared) -> None:
    chosen = normalized("averaged")
    found, expected = named(ran(chosen, prepared).model.network), averaged(chosen, prepared)
    assert {name for name in found if "running" in name}
    for name, array in found.items():
        assert np.abs(array - expected[name]).max() <= 1e-12, name


def test_recomputed_statistics_are_those_of_all_rows_in_one_place(prepared: Prepared) -> None:
    chosen = normalized("recomputed")
    found, expected = named(ran(chosen, prepared).model.network), averaged(chosen, prepared)
    network = Plain(chosen.model, FEATURES, 3)
    network.load_state_dict({name: torch.tensor(array) for name, array in expected.items()})
    # One pass over the pooled rows as a single batch, after which the statistics are that batch's own.
    for norm in network.norms:
        assert isinstance(norm, torch.nn.BatchNorm1d)
        norm.momentum = 1.0
    x = torch.tensor(prepared.x)
    for layer in range(2):
        network.eval()
        network.norms[layer].train()
        network(x)
    for name, tensor in network.state_dict().items():
        if name in found:
            assert np.abs(found[name] - tensor.numpy()).max() <= 1e-12, name


def test_recomputed_statistics_are_those_of_the_rounds_cohort(prepared: Prepared) -> None:
    from common.selection.rules import select

    chosen = normalized("recomputed", clients_per_round=2)
    found = named(ran(chosen, prepared).model.network)
    rows = np.concatenate([prepared.training_examples(client) for client in select(chosen.seed, 1, 6, 2)])
    units = prepared.x[rows] @ found["layers.0.weight"].T
    assert np.abs(found["norms.0.running_mean"] - units.mean(axis=0)).max() <= 1e-12
    assert np.abs(found["norms.0.running_var"] - units.var(axis=0, ddof=1)).max() <= 1e-12
