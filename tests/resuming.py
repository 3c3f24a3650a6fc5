"""The check that every strategy must pass: killed anywhere and resumed, a run ends with the same bits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import hothouse
from common.extend.events import Observer
from common.run_files import Metrics

TIMES = ("seconds", "training_seconds", "aggregation_seconds", "evaluation_seconds", "checkpoint_seconds")


class Photographer(Observer):
    """Copies a run's folder as each round ends: what would be left had the run been killed at that moment."""

    def __init__(self, folder: Path, album: Path, rounds: Sequence[int] | None = None) -> None:
        """`rounds` are the rounds to copy it after; all of them if left out."""
        self.folder, self.album, self.rounds = folder, album, rounds

    def on_round_end(self, metrics: Metrics) -> None:
        if self.rounds is not None and metrics["round"] not in self.rounds:
            return
        shutil.copytree(self.folder, self.album / str(metrics["round"]))


def measured(run: hothouse.Run) -> pd.DataFrame:
    """A run's numbers without its times."""
    return run.metrics.drop(columns=[name for name in TIMES if name in run.metrics])


def assert_same(one: hothouse.Run, other: hothouse.Run) -> None:
    """Two runs have the same model, to the bit, and the same numbers of every round and client."""
    for name in ("model.safetensors", "federation.json", "clients.jsonl"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    # Not every run has them.
    for name in ("final.json", "generated.json", "samples.jsonl"):
        found = [run.folder / name for run in (one, other)]
        assert len({path.read_bytes() if path.exists() else b"" for path in found}) == 1, name
    pd.testing.assert_frame_equal(measured(one), measured(other), check_exact=True, check_like=True)


def assert_resumes(
    scenario: Any, folder: Path, overrides: list[str] | None = None, killed_after: Sequence[int] | None = None
) -> None:
    """The scenario, killed after any of its rounds (or only these) and resumed, equals the scenario at one go.

    All rounds are for the slow tests: a feature is resumed once among the ordinary ones.
    """
    saved_now_and_then = [*(overrides or []), "checkpoints.every=3"]
    straight = hothouse.run(
        scenario,
        overrides=saved_now_and_then,
        engine="local",
        out=folder / "straight",
        observers=[Photographer(folder / "straight", folder / "album", killed_after)],
    )
    photographs = sorted((folder / "album").iterdir(), key=lambda path: int(path.name))
    assert len(photographs) >= len(killed_after or [1])
    for photograph in photographs:
        assert_same(hothouse.resume(photograph, engine="local"), straight)
