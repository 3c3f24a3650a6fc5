"""The super node's two ways in one scenario: the same clients and seeds, one table."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

import hothouse
from common.run_files import read_lines
from hothouse.sweeps.summary import results_table
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

MODES = ("best", "top_k", "weighted", "tournament", "layerwise", "population")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Sweep:
    """The scenario in short: two rounds, two seeds."""
    return hothouse.sweep(
        REPOSITORY / "scenarios" / "supernode.yaml",
        overrides=["federation.rounds=2", "training.epochs=1", "seeds=2", "federation.clients_per_round=8"],
        engine="local",
        out=tmp_path_factory.mktemp("supernode") / "sweep",
    )


def test_one_table_has_every_way_with_its_mean_and_interval(swept: hothouse.Sweep) -> None:
    assert set(swept.table.status) == {"complete"}
    told = StringIO()
    Console(file=told, width=160).print(results_table(swept))
    wanted = [*(f"competition mode={mode}" for mode in MODES), "fedavg", "local", "centralized"]
    rows = {name: line for line in told.getvalue().splitlines() for name in wanted if f"│ {name} " in line}
    assert set(rows) == set(wanted)
    assert "mean and 95% interval over seeds" in told.getvalue()
    # Without a global model there is none to test; lines of networks are measured beside the global one.
    columns = {"local": 2, "competition mode=tournament": 4, "competition mode=population": 4}
    for name, line in rows.items():
        assert line.count("±") == columns.get(name, 3), line


def test_all_ways_have_the_same_clients_and_cohorts(swept: hothouse.Sweep) -> None:
    seen: dict[int, list[Any]] = {}
    for row in swept.table.to_dict("records"):
        folder = swept.folder / "runs" / str(row["run"])
        cohorts = [line["clients"] for line in read_lines(folder / "clients.jsonl")]
        seen.setdefault(row["seed"], []).append(((folder / "federation.json").read_bytes(), cohorts))
    assert {len(ways) for ways in seen.values()} == {len(MODES) + 3}
    assert len(seen) == 2
    for ways in seen.values():
        assert all(way == ways[0] for way in ways)
