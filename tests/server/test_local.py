"""Local training only: every client's own model is what it trains alone, and nothing else moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hothouse
from common.arrays import NamedArrays
from common.errors import InputError
from common.personal import own_arrays
from tests.federations import trained_alone
from tests.literal import ROUNDS, Literal, assert_equal, clients, cohort, last_rounds, literal_scenario, run
from tests.resuming import assert_resumes


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_every_client_trains_on_alone(tmp_path: Path, normalization: str) -> None:
    prepared = clients(tmp_path)
    chosen = literal_scenario("local", model={"normalization": normalization}, training={"batch_size": "full"})
    own = dict[int, NamedArrays]()
    for number in range(1, ROUNDS + 1):
        for client in cohort(number):
            own[client], _ = trained_alone(chosen, prepared, client, own.get(client), number)
    ran = run(chosen, prepared)
    for client, version in last_rounds().items():
        assert_equal(own_arrays(ran.kept(client, version)), own[client], 1e-12)
    assert_equal(ran.weights, Literal(chosen, prepared).start(), 0)


def test_with_one_client_it_is_fedavg(quickstart: Path, tmp_path: Path) -> None:
    alone = [
        "data.partition={scheme: iid, clients: 1}",
        "federation.clients_per_round=1",
        "federation.rounds=3",
        "model.dtype=float64",
    ]
    runs = [
        hothouse.run(quickstart, overrides=[*alone, f"federation.strategy={s}"], engine="local", out=tmp_path / s)
        for s in ("local", "fedavg")
    ]
    one, other = (run.metrics.holdout_loss.to_numpy() for run in runs)
    # A sum over one client, divided by its examples, is its weights up to a rounding, which training may amplify.
    assert np.abs(one - other).max() < 1e-8


def test_what_is_measured_are_the_clients_own_models(quickstart: Path, tmp_path: Path) -> None:
    run = hothouse.run(
        quickstart, overrides=["federation.strategy=local", "federation.rounds=4"], engine="local", out=tmp_path / "run"
    )
    assert not [name for name in run.metrics if name.startswith(("test_", "validation_"))]
    assert run.metrics.holdout_accuracy.equals(run.metrics.personal_accuracy)
    assert run.metrics.holdout_accuracy_mean.iloc[-1] > run.metrics.holdout_accuracy_mean.iloc[0] + 0.2
    assert (run.metrics[["bytes_down", "bytes_up"]] == 0).all(axis=None), "nothing travels"


def test_without_held_out_rows_there_is_nothing_to_measure_on(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.client_holdout"):
        hothouse.run(
            quickstart,
            overrides=["federation.strategy=local", "data.client_holdout=0.0"],
            engine="local",
            out=tmp_path / "run",
        )


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_bits(quickstart: Path, tmp_path: Path) -> None:
    assert_resumes(quickstart, tmp_path, ["federation.rounds=4", "training.epochs=1", "federation.strategy=local"])
