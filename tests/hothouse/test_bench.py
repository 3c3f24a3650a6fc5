"""How fast rounds are: the benchmark's own arithmetic, and that Hothouse stays far ahead of a plain loop."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest

from common.scenario.strategy import STRATEGIES
from hothouse.bench.floor import Floor
from hothouse.bench.turns import ENGINES, as_markdown, faster_by, take_turns
from hothouse.bench.workloads import WORKLOADS
from tests.conftest import REPOSITORY

LEAST = {"W1": 2.0, "W2": 3.0, "W3": 15.0}
"""How many times a round of the plain loop must take as long, far below what was measured on a quiet machine."""


def test_operations_are_those_of_the_matrix_products() -> None:
    # 100 clients × 32 rows: 64×32 weights need 2 products of 2 operations, 32×10 need 3.
    assert WORKLOADS["W2"].operations == 100 * 32 * (4 * 64 * 32 + 6 * 32 * 10)
    assert WORKLOADS["W2"].bytes == 100 * 32 * 64 * 4
    assert Floor(1e9, 1e9).seconds(WORKLOADS["W2"]) == WORKLOADS["W2"].operations / 1e9


def test_ratios_are_taken_turn_by_turn() -> None:
    slow, fast = [{"seconds": s, "accuracy": 0.5} for s in (0.1, 0.9)], [{"seconds": 0.1, "accuracy": 0.5}] * 2
    results = {"W2": {"hothouse": fast, "plain": slow}}
    assert faster_by(results, "W2", "plain") == pytest.approx(5.0)
    assert "| W2 | plain | 500 | 100 900 | 5.0× | 0.500 |" in as_markdown(results, Floor(1e9, 1e9))


@pytest.mark.slow
def test_a_variant_that_is_refused_costs_no_other_its_result() -> None:
    variants = ["--with", "training.optimizer.lr=-1", "--with", "training.epochs=2"]
    done = subprocess.run(
        [sys.executable, "benchmarks/cliffs.py", *variants, "--workloads", "W2", "--turns", "1", "--rounds", "3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [row[0] for row in rows] == ["fedavg", "training.optimizer.lr=-1", "training.epochs=2"]
    assert rows[1][1] == "failed!"
    assert float(rows[2][1]) > float(rows[0][1])


def test_every_strategy_and_every_key_of_training_has_a_row() -> None:
    rows = runpy.run_path(str(REPOSITORY / "benchmarks" / "cliffs.py"))["rows"]()
    names = {row.name.split(" ")[0] for row in rows}
    assert names >= {*STRATEGIES.built_in, "adam", "layer", "training.mixup", "training.regularization.l1_budget"}


@pytest.mark.bench
def test_hothouse_stays_far_ahead_of_a_plain_loop() -> None:
    engines = {name: ENGINES[name] for name in ("hothouse", "plain")}
    results = take_turns(engines, list(LEAST), 1, 2, lambda told: None)
    for name, least in LEAST.items():
        assert faster_by(results, name, "plain") >= least, name
        ours, theirs = (results[name][engine][0]["accuracy"] for engine in engines)
        assert abs(ours - theirs) < 0.1, name


@pytest.mark.bench
@pytest.mark.parametrize(("clients", "cohort"), [(1_000_000, 1000), (100_000, 100_000)])
def test_memory_is_bounded_however_large_the_federation(clients: int, cohort: int) -> None:
    script = [sys.executable, "benchmarks/scale.py", "--one", str(clients), "--cohort", str(cohort), "--rounds", "5"]
    done = subprocess.run(script, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["memory"] <= 2.5e9
