"""Clients' own models in what a run leaves and shows: metrics, the chronicle, the report, the table, the best round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import hothouse
from common.metrics.fairness import fairness
from common.run_files import read_lines
from hothouse.report.run import run_page
from hothouse.results.records import read
from hothouse.running.progress import fairness_table


@pytest.fixture(scope="module")
def ditto(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    """A short run of twenty clients."""
    overrides = ["federation.strategy=ditto", "federation.rounds=4", "training.epochs=2", "evaluation.every=2"]
    return hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path_factory.mktemp("ditto") / "run")


def test_every_client_is_told_of(ditto: hothouse.Run) -> None:
    lines = [line for line in read_lines(ditto.folder / "clients.jsonl") if "holders" in line]
    assert [line["round"] for line in lines] == [0, 2, 4]
    assert lines[0]["personal"] == lines[0]["holdout"], "before the first round nobody has a model of its own"
    own = np.array(lines[-1]["personal"]["accuracy"])
    assert own.tolist() != lines[-1]["holdout"]["accuracy"]
    told = ditto.metrics.iloc[-1]
    for name, value in fairness(own, True).items():
        assert told[f"personal_accuracy_{name}"] == pytest.approx(value, abs=1e-5)


def test_the_best_round_is_that_of_the_own_models(ditto: hothouse.Run) -> None:
    best = ditto.summary["best"]
    assert best["by"] == "personal_accuracy"
    assert best["personal_accuracy"] == ditto.metrics.personal_accuracy.max()


def test_the_report_and_the_table_set_both_beside_each_other(ditto: hothouse.Run) -> None:
    html = run_page(read(ditto.folder)).html()
    assert "The global model and clients&#39; own models" in html
    console = Console(width=100, record=True)
    table = fairness_table(ditto)
    assert table is not None
    console.print(table)
    printed, last = console.export_text(), ditto.metrics.iloc[-1]
    assert "own models" in printed
    for name in ("mean", "worst_10", "best_10", "variance", "jain"):
        for split in ("holdout", "personal"):
            assert f"{last[f'{split}_accuracy_{name}']:.4f}" in printed


def test_compared_by_own_models_the_worst_tenth_is_theirs(ditto: hothouse.Run) -> None:
    row = hothouse.compare([ditto], metric="personal_accuracy").rows[0]
    assert row.worst is not None
    assert row.worst.mean == ditto.metrics.personal_accuracy_worst_10.iloc[-1]
