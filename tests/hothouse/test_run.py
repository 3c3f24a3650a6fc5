"""A run from a scenario to its folder: same bits whoever computes them, whatever dies on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import hothouse
from tests.conftest import shared_data
from tests.resuming import assert_same
from tests.strategies import sampled

SHORT = ["federation.rounds=3"]


def model_bytes(run: hothouse.Run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("two_workers")
def test_the_same_scenario_and_seed_give_the_same_bits_everywhere(quickstart: Path, tmp_path: Path) -> None:
    two = hothouse.run(quickstart, overrides=SHORT, workers=2, out=tmp_path / "two")
    local = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "local")
    assert_same(two, local)
    other = hothouse.run(quickstart, overrides=SHORT, seed=8, engine="local", out=tmp_path / "other")
    assert model_bytes(other) != model_bytes(two)


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    return hothouse.run(quickstart, engine="local", out=tmp_path_factory.mktemp("run") / "quickstart")


@pytest.mark.parametrize("seed", sampled([1, 2, 3], 1))
def test_the_quickstart_learns_digits(quickstart: Path, tmp_path: Path, seed: int) -> None:
    run = hothouse.run(quickstart, seed=seed, engine="local", out=tmp_path / "run")
    assert run.metrics.test_accuracy.iloc[-1] >= 0.92


def test_the_folder_holds_what_it_promises(finished: hothouse.Run) -> None:
    assert {"scenario.yaml", "metrics.jsonl", "events.jsonl", "model.safetensors", "summary.json"} <= {
        entry.name for entry in finished.folder.iterdir()
    }
    summary = finished.summary
    assert (summary["status"], summary["rounds"], summary["seed"]) == ("complete", 30, 7)
    assert summary["final"] == json.loads((finished.folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert summary["client_updates_per_second"] > 0
    assert set(summary["versions"]) == {"python", "hothouse", "flwr", "ray", "torch", "numpy", "scipy", "scikit-learn"}


def test_the_best_round_is_chosen_on_validation_rows(finished: hothouse.Run) -> None:
    best = finished.summary["best"]
    assert best["by"] == "validation_accuracy"
    assert best["validation_accuracy"] == finished.metrics.validation_accuracy.max()


def test_metrics_are_a_table_with_a_row_per_round(finished: hothouse.Run) -> None:
    assert finished.metrics["round"].tolist() == list(range(31))
    assert {"seconds", "clients", "train_loss", "test_loss", "test_accuracy", "holdout_accuracy"} <= set(
        finished.metrics.columns
    )


def test_the_model_is_a_module_that_takes_raw_rows(finished: hothouse.Run) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    with torch.no_grad():
        guesses = finished.model(torch.tensor(digits.data)).argmax(dim=1).numpy()
    assert np.mean(guesses == digits.target) > 0.95
    assert finished.model.predict(torch.tensor(digits.data[:3])) == guesses[:3].tolist()


def test_the_resolved_scenario_repeats_the_run(finished: hothouse.Run, tmp_path: Path) -> None:
    again = hothouse.run(finished.folder / "scenario.yaml", engine="local", out=tmp_path / "again")
    assert model_bytes(again) == model_bytes(finished)
    assert (again.folder / "scenario.yaml").read_bytes() == (finished.folder / "scenario.yaml").read_bytes()


def test_a_folder_reads_back(finished: hothouse.Run, tmp_path: Path) -> None:
    assert hothouse.load(finished.folder).summary == finished.summary
    with pytest.raises(hothouse.InputError, match=r"found no summary\.json"):
        hothouse.load(tmp_path)


def test_a_folder_that_holds_something_is_not_overwritten(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(hothouse.InputError, match="is not empty"):
        hothouse.run(quickstart, engine="local", out=tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def test_a_regression_is_measured_in_its_own_unit(tmp_path: Path) -> None:
    run = hothouse.run(
        {
            "data": {
                "source": {"kind": "sklearn", "name": "diabetes"},
                "test_fraction": 0.2,
                "partition": {"scheme": "iid", "clients": 5},
            },
            "model": {"layers": [16]},
            "training": {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.02}},
            "federation": {"rounds": 20},
        },
        engine="local",
        out=tmp_path / "run",
    )
    final = run.metrics.iloc[-1]
    assert 40 < final.test_mae < 55, "the disease score lies between 25 and 346"
    assert 0.3 < final.test_r2 < 0.6
    from sklearn.datasets import load_diabetes

    guesses = run.model.predict(torch.tensor(load_diabetes(scaled=False).data))
    assert np.corrcoef(np.asarray(guesses)[:, 0], load_diabetes().target)[0, 1] > 0.6


def test_a_loss_that_does_not_fit_the_data_is_refused(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(hothouse.InputError, match=r"training\.loss: binary_cross_entropy goes with"):
        hothouse.run(quickstart, overrides=["training.loss=binary_cross_entropy"], engine="local", out=tmp_path / "run")


def test_too_few_usable_answers_end_the_run_with_its_reason(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(hothouse.RunError, match=r"round 1: \d+ of 10 clients sent a usable reply"):
        hothouse.run(
            quickstart,
            overrides=["training.optimizer.lr=1e30", "federation.min_clients=5"],
            engine="local",
            out=tmp_path / "run",
        )
    left = hothouse.load(tmp_path / "run")
    assert left.summary["status"] == "incomplete"
    assert "federation.min_clients is 5" in left.summary["reason"]
    assert "excluded" in {event["event"] for event in left.events}


@pytest.mark.slow
def test_real_images_in_an_idx_folder_are_learned(tmp_path: Path) -> None:
    folder = shared_data("fashion_mnist")
    scenario = Path(__file__).parent.parent.parent / "scenarios" / "fashion.yaml"
    run = hothouse.run(scenario, overrides=[f"data.source.path={folder}"], engine="local", out=tmp_path / "run")
    assert run.scenario.data.partition.clients == 100
    assert run.metrics.test_accuracy.iloc[-1] >= 0.85
