"""Each pair of task, output, loss, held-out split and strategy family runs, resumes, reports, predicts, exports."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

import hothouse
from common.errors import InputError
from common.scenario.losses import LOSSES
from common.scenario.objective import check_objective, output_kind
from hothouse.archives.archive import export_run, import_run
from hothouse.results.predict import predict
from tests.covering import pairwise
from tests.federations import scenario
from tests.resuming import assert_resumes

TASKS = {"digits": load_digits, "breast_cancer": load_breast_cancer, "diabetes": load_diabetes}
"""Ten classes, two classes, a regression."""
HELD = {
    "nothing": {},
    "test": {"test_fraction": 0.2},
    "validation": {"validation_fraction": 0.2},
    "clients": {"client_holdout": 0.2},
    "all": {"test_fraction": 0.2, "validation_fraction": 0.2, "client_holdout": 0.2},
}
LOSS = {name: {} for name in LOSSES.parts} | {
    "cross_entropy, smoothed and weighed": {"label_smoothing": 0.1, "class_weights": "balanced"},
    "binary_cross_entropy, smoothed and weighed": {"label_smoothing": 0.1, "class_weights": "balanced"},
}
FAMILIES = {
    "averaging": {"name": "fedavg"},
    "server optimizer": {"name": "fedadam"},
    "drift": {"name": "scaffold"},
    "fair": {"name": "qfedavg"},
    "robust": {"name": "multikrum"},
    "reference": {"name": "centralized"},
    "alone": {"name": "local"},
    "personal": {"name": "fedper"},
    "personal copies": {"name": "ditto"},
    "clustered": {"name": "ifca"},
    "competition, server": {"name": "competition", "mode": "top_k", "k": 2, "judge": "server"},
    "competition, clients": {"name": "competition", "mode": "population", "judge": "clients"},
}


def chosen(one: dict[str, str]) -> dict[str, object]:
    """A combination as a scenario."""
    name = one["loss"].partition(",")[0]
    return {
        "data": {
            "source": {"kind": "sklearn", "name": one["task"]},
            "partition": {"scheme": "iid", "clients": 5},
            **HELD[one["held"]],
        },
        "model": {"layers": [8], "output": one["output"]},
        "training": {"batch_size": 32, "loss": {"name": name, **LOSS[one["loss"]]}},
        "federation": {"rounds": 4, "strategy": FAMILIES[one["family"]]},
        "seed": 1,
    }


def allowed(one: dict[str, str]) -> bool:
    """Whether output and loss go with the task, and there are examples to judge by."""
    judged = {"competition, server": ("validation", "all")}
    judged |= dict.fromkeys(("competition, clients", "alone", "personal copies"), ("clients", "all"))
    if one["held"] not in judged.get(one["family"], tuple(HELD)):
        return False
    regression = one["task"] == "diabetes"
    made = scenario(model={"output": one["output"]}, training={"loss": chosen(one)["training"]["loss"]})  # type: ignore[index]
    task = "regression" if regression else "classification"
    try:
        check_objective(made.training.loss, output_kind(made.model, task), task, [] if regression else ["0", "1"])  # type: ignore[arg-type]
    except InputError:
        return False
    return True


FACTORS = {
    "task": [*TASKS],
    "output": ["auto", "softmax", "sigmoid", "linear"],
    "loss": [*LOSS],
    "held": [*HELD],
    "family": [*FAMILIES],
}
PAIRS = pairwise(FACTORS, allowed)


def rows_of(task: str) -> np.ndarray:
    return np.asarray(TASKS[task]().data)


@pytest.mark.slow
@pytest.mark.parametrize("one", PAIRS, ids=lambda one: " · ".join(one.values()))
def test_a_combination(one: dict[str, str], tmp_path: Path) -> None:
    made = chosen(one)
    assert_resumes(made, tmp_path / "runs", killed_after=[2])
    run = hothouse.load(tmp_path / "runs" / "straight")
    assert run.report().is_file()
    client = 0 if one["family"] in ("alone", "personal") else None
    model = run.model if client is None else run.own_model(client)
    np.save(tmp_path / "rows.npy", rows_of(one["task"])[:20])
    text, _ = predict(model, tmp_path / "rows.npy")
    told = list(csv.DictReader(io.StringIO(text)))
    if one["task"] != "diabetes":
        score = "probability" if one["output"] != "linear" else "score"
        assert set(told[0]) == {"prediction", score}
    archive = export_run(run.folder, tmp_path / "run.hothouse", client=client)
    again = import_run(archive, out=tmp_path / "again").model
    rows = torch.from_numpy(rows_of(one["task"])[:20])
    assert torch.equal(again(rows), model(rows))
