"""Scenarios after papers reach what the papers report."""

from __future__ import annotations

from pathlib import Path

import pytest

import hothouse
from tests.conftest import REPOSITORY, shared_data

pytestmark = pytest.mark.slow


def test_mcmahan_2017_reaches_97_percent_sooner_than_the_papers_87_rounds(tmp_path: Path) -> None:
    run = hothouse.run(
        REPOSITORY / "scenarios" / "papers" / "mcmahan2017-2nn.yaml",
        overrides=[f"data.source.path={shared_data('mnist')}", "federation.rounds=50"],
        engine="local",
        out=tmp_path / "run",
    )
    there = run.metrics["round"][run.metrics.test_accuracy >= 0.97]
    assert there.min() < 50
