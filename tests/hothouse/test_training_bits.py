"""Everything that is drawn or kept in training is the same whoever computes it, and across a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hothouse
from tests.resuming import assert_resumes, assert_same
from tests.strategies import sampled

EVERYTHING: dict[str, Any] = {
    "seed": 5,
    "data": {
        "source": {"kind": "sklearn", "name": "wine"},
        "test_fraction": 0.2,
        "client_holdout": 0.2,
        "partition": {"scheme": "dirichlet", "clients": 9, "alpha": 0.7},
    },
    "model": {
        "layers": [12, 8],
        "normalization": {"name": "batch", "statistics": "recomputed"},
        "dropout": [0.3, 0.1],
        "input_dropout": 0.1,
        "drop_connect": 0.1,
    },
    "training": {
        "epochs": 4,
        "batch_size": 4,
        "stack": 2,
        "optimizer": "adam",
        "optimizer_state": "client",
        "schedule": [{"name": "warmup", "length": 3}, {"name": "cosine", "by": "step", "final": 0.1}],
        "regularization": {"l2": 0.01, "l1_budget": 25.0},
        "clip_norm": 1.0,
        "mixup": 0.4,
        "early_stopping": {"patience": 1},
    },
    "federation": {"rounds": 4, "clients_per_round": 6, "blocks": 4},
}
SHORT = ["federation.rounds=2", "evaluation.every=2"]


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_every_random_element_gives_the_same_bits_everywhere(tmp_path: Path) -> None:
    local = hothouse.run(EVERYTHING, engine="local", out=tmp_path / "local")
    assert_same(hothouse.run(EVERYTHING, workers=2, out=tmp_path / "ray"), local)


@pytest.mark.slow
def test_running_statistics_and_what_adam_keeps_survive_a_kill(tmp_path: Path) -> None:
    assert_resumes(EVERYTHING, tmp_path, ["federation.rounds=5"], killed_after=[4])


@pytest.mark.slow
def test_they_survive_a_kill_after_any_round(tmp_path: Path) -> None:
    assert_resumes(EVERYTHING, tmp_path)


@pytest.mark.slow
def test_averaged_statistics_survive_a_kill(tmp_path: Path) -> None:
    assert_resumes(EVERYTHING, tmp_path, ["model.normalization.statistics=averaged"])


@pytest.mark.parametrize(
    "change",
    sampled(
        [
            "model.dropout=0",
            "model.input_dropout=0",
            "model.drop_connect=0",
            "training.mixup=null",
            "training.early_stopping=null",
            "training.schedule=[]",
            "model.normalization.statistics=averaged",
            "training.optimizer_state=round",
            "training.regularization.l1_budget=null",
        ],
        "model.dropout=0",
        "training.mixup=null",
        "training.early_stopping=null",
    ),
)
def test_every_element_matters(everything: bytes, tmp_path: Path, change: str) -> None:
    without = hothouse.run(EVERYTHING, overrides=[*SHORT, change], engine="local", out=tmp_path / "run")
    assert (without.folder / "model.safetensors").read_bytes() != everything


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    run = hothouse.run(EVERYTHING, overrides=SHORT, engine="local", out=tmp_path_factory.mktemp("all") / "run")
    return (run.folder / "model.safetensors").read_bytes()
