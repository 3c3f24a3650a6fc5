"""Whatever a method and a scenario ask of training, the compiled trainer does what PyTorch's does.

PyTorch's is held to the papers' pseudo-code in `test_drift.py` and `test_personal.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.compiled.library import library
from common.arrays import NamedArrays
from common.data import Prepared
from common.scenario.strategy import STRATEGIES
from common.scenario.trainers import uncovered
from tests.literal import clients, last_rounds, literal_scenario, run
from tests.strategies import sampled

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")

OPTIONS: dict[str, dict[str, Any]] = {
    "fedprox": {"mu": 0.5},
    "ditto": {"lambda": 0.7},
    "pfedme": {"inner_steps": 3, "lr": 0.02, "lambda": 5.0},
    "fedrep": {"personal_layers": 2, "head_epochs": 2},
    "fedper": {"personal_layers": 1},
    "feddyn": {"alpha": 0.3},
}
METHODS = [name for name, part in STRATEGIES.built_in.items() if "client" in part.halves and part.compiled is True]
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "plain": {},
    "rules": {
        "training": {
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.5},
            "optimizer_state": "client",
            "clip_value": 0.05,
            "clip_norm": 0.2,
            "regularization": {"l2": 0.1, "weight_decay": 0.05, "l2_budget": 3.0, "biases": True},
            "schedule": {"name": "cosine", "by": "step"},
        }
    },
    "everything": {
        "model": {"normalization": "batch", "dropout": 0.2, "input_dropout": 0.1, "drop_connect": 0.2},
        "training": {"mixup": 0.4, "early_stopping": {"patience": 1}, "epochs": 4, "optimizer_state": "client"},
    },
    "layer": {"model": {"normalization": "layer", "frozen": ["layers.1"]}, "training": {"batch_size": "full"}},
}


QUICK = [
    *[("everything", name) for name in METHODS],
    *[("rules", name) for name in ("fedprox", "scaffold", "pfedme")],
    ("layer", "ditto"),
]


@pytest.mark.parametrize(
    "case", sampled([(one, name) for name in ("fedavg", *METHODS) for one in SETTINGS], *QUICK), ids="-".join
)
def test_both_trainers_agree(tmp_path: Path, case: tuple[str, str]) -> None:
    settings, strategy = case
    prepared = clients(tmp_path)
    chosen = SETTINGS[settings]
    if strategy == "fednova" and settings == "rules":
        chosen = {**chosen, "training": {**chosen["training"], "clip_norm": None}}
    by_pytorch, by_kernel = (outcome(prepared, strategy, chosen, engine) for engine in ("torch", "compiled"))
    assert set(by_pytorch) == set(by_kernel)
    for name, array in by_pytorch.items():
        assert np.isfinite(array).all()
        assert np.abs(array - by_kernel[name]).max() < 2e-4, name


def outcome(prepared: Prepared, strategy: str, settings: dict[str, dict[str, Any]], engine: str) -> NamedArrays:
    """The global model, and all that clients have kept."""
    model = {"dtype": "float32", **settings.get("model", {})}
    training = {**settings.get("training", {}), "trainer": engine}
    chosen = literal_scenario({"name": strategy, **OPTIONS.get(strategy, {})}, model=model, training=training)
    assert uncovered(chosen.model, chosen.training, chosen.federation.strategy) is None
    ran = run(chosen, prepared)
    found = dict(ran.weights)
    if chosen.federation.strategy.keeps_state or chosen.training.optimizer_state == "client":
        for client, version in last_rounds().items():
            found |= {f"{client}: {name}": array for name, array in ran.kept(client, version).items()}
    return found
