"""What every strategy promises, whatever it does: the same bits after a kill, and with workers on Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

import hothouse
from tests.resuming import assert_resumes, assert_same
from tests.strategies import every_strategy, sampled

SHORT = ["federation.rounds=5", "training.epochs=1"]
QUICKLY = ("fedadam", "scaffold", "fedrep", "competition tournament", "competition population, state reset")
"""Of each kind of state one: the server's, the clients', layers of their own, networks, settings."""


@pytest.mark.parametrize("strategy", sampled(every_strategy(), *QUICKLY))
def test_the_same_bits_after_a_kill(quickstart: Path, tmp_path: Path, strategy: str) -> None:
    # Saved after round 3: round 4 is trained a second time, round 5 for the first time.
    assert_resumes(quickstart, tmp_path, [*SHORT, *every_strategy()[strategy]], killed_after=[4])


@pytest.mark.usefixtures("two_workers")
@pytest.mark.parametrize("strategy", sampled(every_strategy()))
def test_the_same_bits_on_ray(quickstart: Path, tmp_path: Path, strategy: str) -> None:
    overrides = [*SHORT, *every_strategy()[strategy]]
    local = hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path / "local")
    on_ray = hothouse.run(quickstart, overrides=overrides, workers=2, out=tmp_path / "ray")
    assert_same(on_ray, local)
