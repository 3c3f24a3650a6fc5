"""The check that every strategy must pass: killed anywhere and resumed, a run ends with the same bits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

import hothouse
from common.models.predictor import Predictor
from server.observers import Metrics

TIMES = ("seconds", "training_seconds", "aggregation_seconds", "evaluation_seconds", "checkpoint_seconds")


class Photographer:
    """Copies a run's folder as each round ends: what would be left had the run been killed at that moment."""

    def __init__(self, folder: Path, album: Path) -> None:
        self.folder, self.album = folder, album

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        pass

    def round_ended(self, metrics: Metrics) -> None:
        shutil.copytree(self.folder, self.album / str(metrics["round"]))

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        pass

    def finished(self, model: Predictor) -> None:
        pass


def measured(run: hothouse.Run) -> pd.DataFrame:
    """A run's numbers without its times."""
    return run.metrics.drop(columns=[name for name in TIMES if name in run.metrics])


def assert_same(one: hothouse.Run, other: hothouse.Run) -> None:
    """Two runs have the same model, to the bit, and the same numbers."""
    assert (one.folder / "model.safetensors").read_bytes() == (other.folder / "model.safetensors").read_bytes()
    pd.testing.assert_frame_equal(measured(one), measured(other), check_exact=True, check_like=True)


def assert_resumes(scenario: Any, folder: Path, overrides: list[str] | None = None) -> None:
    """The scenario, killed after any of its rounds and resumed, equals the scenario at one go."""
    saved_now_and_then = [*(overrides or []), "checkpoints.every=3"]
    straight = hothouse.run(
        scenario,
        overrides=saved_now_and_then,
        engine="local",
        out=folder / "straight",
        observers=[Photographer(folder / "straight", folder / "album")],
    )
    for photograph in sorted((folder / "album").iterdir(), key=lambda path: int(path.name)):
        assert_same(hothouse.resume(photograph, engine="local"), straight)
