"""The final model's ancestry, told from ladder.jsonl alone, is what its weights were made of."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hothouse
from common.data import prepare
from common.run_files import read_lines
from tests.command import command
from tests.federations import FEATURES, named, starting_weights, trained_alone

ALL = ["federation.rounds=3", "federation.clients_per_round=1.0", "training.epochs=1"]
TEACHER = {
    "seed": 4,
    "data": {
        "source": {"kind": "teacher", "rows": 120, "features": FEATURES, "classes": 3, "noise": 0.3},
        "validation_fraction": 0.25,
        "partition": {"scheme": "iid", "clients": 6},
    },
    "model": {"layers": [5], "dtype": "float64"},
    "training": {"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.2}},
    "federation": {"rounds": 3, "strategy": {"name": "competition", "mode": "tournament"}},
}


def test_the_line_trained_once_more_gives_the_final_weights(tmp_path: Path) -> None:
    run = hothouse.run(TEACHER, engine="local", out=tmp_path / "run")
    line = hothouse.lineage(run)
    assert line["round"].tolist() == [3, 2, 1]
    assert line.parent.tolist() == [*line.client.tolist()[1:], -1]
    prepared = prepare(run.scenario)
    weights = named(starting_weights(run.scenario, prepared))
    for number, client in zip(line["round"][::-1], line.client[::-1], strict=True):
        weights, _ = trained_alone(run.scenario, prepared, int(client), weights, int(number))
    for name, tensor in run.model.network.state_dict().items():
        assert np.abs(tensor.numpy() - weights[name]).max() < 1e-10


def test_it_is_a_table_on_the_screen_and_as_values(quickstart: Path, tmp_path: Path) -> None:
    options = "federation.strategy={name: competition, mode: population, keep_champion: true}"
    run = hothouse.run(quickstart, overrides=[*ALL, options], engine="local", out=tmp_path / "run")
    line = hothouse.lineage(run.folder)
    told = pd.read_csv(io.StringIO(command("lineage", run.folder, "--csv").stdout))
    pd.testing.assert_frame_equal(told, line, check_dtype=False)
    assert {"round", "client", "validation_loss", "share", "parent", "optimizer.lr"} == set(line.columns)
    assert "generations of the final model" in command("lineage", run.folder).stdout
    last = read_lines(run.folder / "ladder.jsonl")[-1]
    assert line.client[0] == last["clients"][last["shares"].index(max(last["shares"]))]


def test_where_nothing_competed_there_is_none(quickstart: Path, tmp_path: Path) -> None:
    run = hothouse.run(quickstart, overrides=["federation.rounds=1"], engine="local", out=tmp_path / "run")
    with pytest.raises(hothouse.InputError, match="no networks competed in this run"):
        hothouse.lineage(run)


def test_it_begins_with_the_network_that_scored_better_than_the_mean(quickstart: Path, tmp_path: Path) -> None:
    options = "federation.strategy={name: competition, mode: top_k, k: 2}"
    run = hothouse.run(quickstart, overrides=[*ALL, options], engine="local", out=tmp_path / "run")
    last = read_lines(run.folder / "ladder.jsonl")[-1]
    assert last["reported"] is not None, "or this shows nothing"
    line = hothouse.lineage(run)
    assert line.client[0] == last["reported"] == run.metrics.winner.iloc[-1]
    assert line.share.tolist() == [1.0, 0.5, 0.5], "the model is one network, means of two were spread before"
    assert line.parent.tolist() == [*line.client.tolist()[1:], -1]
    page = (run.folder / "report.html").read_text()
    assert "judged by the server on its own examples" in page
    assert f"{line.client[0]} alone, which scored better than the mean that is spread" in page
