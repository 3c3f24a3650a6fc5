"""The tutorial is run as a reader would run it, and shows what it speaks of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

TUTORIAL = REPOSITORY / "docs" / "tutorial.ipynb"


def test_it_is_kept_without_what_came_out() -> None:
    for cell in json.loads(TUTORIAL.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What came out of each cell, by the cell's first line."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    folder: Path = tmp_path_factory.mktemp("tutorial")
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return {cell.source.splitlines()[0]: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def shown(outputs: list[dict[str, Any]], kind: str) -> str:
    return "".join(output["data"][kind] for output in outputs if kind in output.get("data", {}))


@pytest.mark.slow
class TestExecuted:
    def test_a_run_shows_its_progress_and_nothing_else(self, executed: dict[str, list[dict[str, Any]]]) -> None:
        (bar,) = executed['run = hothouse.run(digits, engine="local", out="runs/first")']
        assert "12/12" in bar["data"]["text/plain"]
        assert "test accuracy" in bar["data"]["text/html"]

    def test_a_run_shows_what_came_out(self, executed: dict[str, list[dict[str, Any]]]) -> None:
        html = shown(executed["run"], "text/html")
        for word in ("complete, 12 rounds", "best by validation accuracy", "<svg", "test accuracy, from"):
            assert word in html

    def test_curves_are_drawn(self, executed: dict[str, list[dict[str, Any]]]) -> None:
        (figure,) = executed["import plotly.express as px"]
        lines = figure["data"]["application/vnd.plotly.v1+json"]["data"]
        assert [line["name"] for line in lines][-1] == "holdout_accuracy_worst_10"

    def test_the_model_reads_digits(self, executed: dict[str, list[dict[str, Any]]]) -> None:
        says, is_ = executed["import torch"][-1]["text"].splitlines()
        told, true = (json.loads(line[line.index("[") :]) for line in (says, is_))
        assert sum(one == other for one, other in zip(told, true, strict=True)) >= 8

    def test_a_comparison_and_a_sweep_show_their_tables(self, executed: dict[str, list[dict[str, Any]]]) -> None:
        assert "alpha-0.1" in shown(executed["runs = ["], "text/html")
        table = shown(executed["sweep = hothouse.sweep("], "text/html")
        assert table.count("complete") >= 6
