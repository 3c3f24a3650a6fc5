"""Runs with augmentation: same bits whoever computes them, and nothing that is measured on is ever changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hothouse
from common.data import prepare
from tests.resuming import assert_same

KINDS: dict[str, list[Any]] = {
    "images": ["rotation", "shift", "crop", {"kind": "noise", "sigma": 0.1}, "erasing", "brightness"],
    "texts": ["typos", "word_deletion", {"kind": "synonyms", "words": {"win": ["gain"]}}, "clause_shuffle"],
    "table": [{"kind": "feature_noise", "sigma": 0.5}, "feature_dropout"],
}


def scenario(kind: str, folder: Path, augmentation: list[Any]) -> dict[str, Any]:
    """A small federation on data of this kind."""
    sources: dict[str, dict[str, Any]] = {
        "images": {"kind": "sklearn", "name": "digits"},
        "texts": {"kind": "text", "path": str(folder / "t.tsv")},
        "table": {"kind": "npz", "path": str(folder / "a.npz")},
    }
    if kind == "texts":
        lines = [
            f"{'uv'[n % 2]}\tyou {['win', 'lose'][n % 2]}, number {n % 7}; {'so'[n % 2]} it is" for n in range(300)
        ]
        (folder / "t.tsv").write_text("\n".join(lines))
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 5)) * [1, 2, 3, 4, 5], np.arange(300) % 3
    np.savez(folder / "a.npz", x_train=x + y[:, None], y_train=y)
    return {
        "name": kind,
        "seed": 5,
        "data": {
            "source": sources[kind],
            "test_fraction": 0.2,
            "client_holdout": 0.2,
            "partition": {"scheme": "dirichlet", "clients": 7, "alpha": 1.0},
        },
        "model": {"layers": [12]},
        "training": {"epochs": 2, "batch_size": 8, "stack": 3, "augmentation": augmentation},
        "federation": {"rounds": 3, "clients_per_round": 5},
    }


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_bits_for_any_number_of_workers_and_in_one_process(kind: str, tmp_path: Path) -> None:
    chosen = scenario(kind, tmp_path, KINDS[kind])
    one = hothouse.run(chosen, workers=1, out=tmp_path / "one")
    two = hothouse.run(chosen, workers=2, out=tmp_path / "two")
    local = hothouse.run(chosen, engine="local", out=tmp_path / "local")
    assert_same(one, two)
    assert_same(one, local)
    plain = hothouse.run(scenario(kind, tmp_path, []), engine="local", out=tmp_path / "plain")
    assert plain.metrics.train_loss.iloc[-1] != local.metrics.train_loss.iloc[-1]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_rows_that_are_measured_on_are_never_changed(kind: str, tmp_path: Path) -> None:
    """The metrics of the last round are those of the final model on the rows as they are."""
    run = hothouse.run(scenario(kind, tmp_path, KINDS[kind]), engine="local", out=tmp_path / "run")
    prepared, last = prepare(run.scenario), run.metrics.iloc[-1]
    held = np.concatenate([prepared.holdout_examples(client) for client in prepared.clients.tolist()])
    for rows, said in ((prepared.test, last.test_accuracy), (held, last.holdout_accuracy)):
        raw = [prepared.texts[row] for row in rows.tolist()] if kind == "texts" else torch.tensor(prepared.x[rows])
        right = np.array(run.model.predict(raw)) == np.array(prepared.meta.labels)[prepared.y[rows]]
        assert said == pytest.approx(right.mean(), abs=1e-12)


def test_a_table_of_synonyms_is_kept_in_the_run(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# not a comment, a word\nWin, gain, earn\n\nit, this\n")
    chosen = scenario("texts", tmp_path, [{"kind": "synonyms", "path": str(tmp_path / "words.txt")}])
    run = hothouse.run(chosen, engine="local", out=tmp_path / "run")
    (kept,) = run.scenario.training.augmentation
    assert kept.kind == "synonyms"
    assert kept.words == {"# not a comment": ("a word",), "win": ("gain", "earn"), "it": ("this",)}
    (tmp_path / "words.txt").unlink()
    again = hothouse.run(run.folder / "scenario.yaml", engine="local", out=tmp_path / "again")
    assert_same(run, again)
