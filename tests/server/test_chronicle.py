"""What a run writes of its clients and workers, against what can be found out otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hothouse
from common.data import prepare
from common.extend.leaderboard import Leaderboard
from common.run_files import read_lines


@pytest.fixture(scope="module")
def run(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    out = tmp_path_factory.mktemp("run") / "run"
    return hothouse.run(quickstart, overrides=["federation.rounds=4", "evaluation.every=2"], engine="local", out=out)


def one(run: hothouse.Run, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / name).read_text())
    return found


def test_the_federation_is_who_has_which_rows(run: hothouse.Run) -> None:
    prepared, told = prepare(run.scenario), one(run, "federation.json")
    assert (told["clients"], told["shown"]) == (20, list(range(20)))
    for client in (0, 7, 19):
        rows = np.concatenate([prepared.training_examples(client), prepared.holdout_examples(client)])
        assert told["label_rows"][client] == [int((prepared.y[rows] == label).sum()) for label in told["labels"]]
        assert told["training_rows"][client] == len(prepared.training_examples(client))
        assert told["holdout_rows"][client] == len(prepared.holdout_examples(client))


def test_a_line_per_round_says_who_trained_and_what_the_clients_measured(run: hothouse.Run) -> None:
    lines = read_lines(run.folder / "clients.jsonl")
    assert [line["round"] for line in lines] == [0, 1, 2, 3, 4]
    assert [len(line["clients"]) for line in lines] == run.metrics.clients.tolist()
    assert ["holdout" in line for line in lines] == [True, False, True, False, True], "as often as was evaluated"
    prepared, predict = prepare(run.scenario), run.model.predict
    last = lines[-1]
    for client, accuracy in zip(last["holders"], last["holdout"]["accuracy"], strict=True):
        rows = prepared.holdout_examples(client)
        right = np.array(predict(torch.from_numpy(prepared.x[rows]))) == prepared.y[rows]
        assert accuracy == pytest.approx(right.mean(), abs=1e-6)


def test_fairness_stands_among_the_metrics(run: hothouse.Run) -> None:
    last, final = read_lines(run.folder / "clients.jsonl")[-1], run.metrics.iloc[-1]
    accuracies = np.array(last["holdout"]["accuracy"])
    assert final.holdout_accuracy_mean == pytest.approx(accuracies.mean(), abs=1e-6)
    assert final.holdout_accuracy_worst_10 == pytest.approx(np.sort(accuracies)[:2].mean(), abs=1e-6)
    assert final.holdout_accuracy_jain == pytest.approx(accuracies.sum() ** 2 / (20 * (accuracies**2).sum()), abs=1e-6)
    assert run.summary["best"]["by"] == "validation_accuracy"


def test_workers_tell_how_long_they_worked(run: hothouse.Run) -> None:
    lines = read_lines(run.folder / "workers.jsonl")
    assert [line["round"] for line in lines] == [0, 1, 2, 3, 4]
    for line, seconds in zip(lines, run.metrics.seconds, strict=True):
        assert len(line["seconds"]) == len(line["messages"]) == 1, "the local engine is one worker"
        # Round 0's workers also answered what came before its clock began: what they host, what they agree on.
        assert 0 < line["seconds"][0] <= (seconds if line["round"] else float("inf"))
    # A message to train with and one to measure with, where both were done.
    assert lines[2]["messages"] == [2]


def test_what_the_final_model_confuses_is_what_scikit_learn_finds(run: hothouse.Run) -> None:
    from sklearn.metrics import confusion_matrix

    prepared, found = prepare(run.scenario), one(run, "final.json")
    guesses = run.model.predict(torch.from_numpy(prepared.x[prepared.test]))
    matrix = confusion_matrix(prepared.y[prepared.test], guesses, labels=range(10))
    told = np.diag(found["label_right"])
    for label, guess, rows in found["confusions"]:
        told[label, guess] = rows
    assert np.array_equal(told, matrix)
    assert (found["split"], found["rows"], found["round"]) == ("test", len(prepared.test), 4)
    chances = run.model(torch.from_numpy(prepared.x[prepared.test])).softmax(dim=1).detach().numpy()
    own = chances[np.arange(len(chances)), prepared.y[prepared.test]]
    worst = found["mistakes"][0]
    assert worst["label_probability"] == pytest.approx(own.min(), rel=5e-3)
    assert worst["values"] == prepared.x[prepared.test][own.argmin()].tolist()
    assert worst["label"] != worst["prediction"]


@pytest.mark.parametrize(
    ("name", "output"), [("digits", "sigmoid"), ("breast_cancer", "sigmoid"), ("digits", "linear")]
)
def test_only_softmax_and_sigmoid_give_probabilities(tmp_path: Path, name: str, output: str) -> None:
    scenario = {
        "data": {"source": {"kind": "sklearn", "name": name}, "test_fraction": 0.3},
        "model": {"output": output},
        "training": {"epochs": 1},
        "federation": {"rounds": 1, "strategy": "fedavg"},
    }
    run = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    prepared, worst = prepare(run.scenario), one(run, "final.json")["mistakes"][0]
    z = run.model(torch.from_numpy(prepared.x[prepared.test])).detach().double()
    if output == "sigmoid":
        z = 1 / (1 + torch.exp(-z))
    scores = torch.cat([1 - z, z], dim=1).numpy() if z.shape[1] == 1 else z.numpy()
    labels = run.model.data_spec.labels
    codes = np.array([labels.index(prepared.meta.labels[code]) for code in prepared.y[prepared.test]])
    own, wrong = scores[np.arange(len(codes)), codes], scores.argmax(axis=1) != codes
    kind = "probability" if output == "sigmoid" else "score"
    assert worst[f"label_{kind}"] == pytest.approx(own[wrong].min(), rel=5e-3)
    row = np.flatnonzero(wrong)[own[wrong].argmin()]
    assert worst[kind] == pytest.approx(scores[row].max(), rel=1e-3)
    page = run.report().read_text()
    assert ("(score " in page) == (name == "digits" and output == "linear")


def test_residuals_of_a_regression(tmp_path: Path) -> None:
    scenario = {
        "data": {"source": {"kind": "sklearn", "name": "diabetes"}, "test_fraction": 0.2, "client_holdout": 0.2},
        "federation": {"rounds": 3},
    }
    run = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    prepared, found = prepare(run.scenario), one(run, "final.json")
    with torch.inference_mode():
        guesses = run.model(torch.from_numpy(prepared.x[prepared.test])).numpy()
    residuals = guesses - prepared.y[prepared.test]
    assert np.allclose(found["predictions"], guesses, rtol=1e-5)
    assert np.allclose(np.ravel(found["residuals"]), np.percentile(residuals, [1, 5, 25, 50, 75, 95, 99]), rtol=1e-4)
    assert found["mistakes"][0]["target"] == prepared.y[prepared.test][np.abs(residuals).argmax()].tolist()
    targets = np.array(one(run, "federation.json")["targets"])
    rows = np.concatenate([prepared.training_examples(3), prepared.holdout_examples(3)])
    assert targets[3] == pytest.approx(np.percentile(prepared.y[rows, 0], [5, 25, 50, 75, 95]))
    assert run.metrics.holdout_rmse_worst_10.iloc[-1] > run.metrics.holdout_rmse_best_10.iloc[-1]


def test_files_stay_small_however_many_clients_there_are(tmp_path: Path) -> None:
    scenario = {
        "data": {
            "source": {"kind": "sklearn", "name": "digits"},
            "partition": {"scheme": "iid", "clients": 1400},
        },
        "training": {"epochs": 1},
        "federation": {"rounds": 2},
    }
    run = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    told = one(run, "federation.json")
    assert told["clients"] == 1400
    assert len(told["shown"]) == len(told["training_rows"]) == len(told["label_rows"]) == 1000
    assert (told["shown"][0], told["shown"][-1]) == (0, 1399)
    for line in read_lines(run.folder / "clients.jsonl")[1:]:
        assert line["clients"] == told["shown"]
    assert run.metrics.clients.tolist() == [0, 1400, 1400], "all of them trained"


def test_a_ladder_is_written_best_first_and_networks_that_cannot_be_judged_come_last() -> None:
    ladder = Leaderboard(
        "validation_loss",
        more_is_better=False,
        clients=np.array([3, 5, 8]),
        scores=np.array([0.4, np.nan, 0.2]),
        parents=np.array([8, 8, -1]),
        shares=np.array([0.0, 0.0, 1.0]),
        adopts=np.array([8, 8, 8]),
    )
    line = ladder.line(6)
    assert line["clients"] == [8, 3, 5]
    assert line["parents"] == [-1, 8, 8]
    assert line["shares"] == [1, 0, 0]
    assert line["adopts"] == [8, 8, 8]
    assert (line["round"], line["metric"], line["more_is_better"]) == (6, "validation_loss", False)
