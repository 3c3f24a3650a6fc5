"""A model that nobody trained is not handed out as the global one; a client's own model can be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import hothouse
from common.data import Prepared, prepare
from hothouse.archives.archive import export_run, import_run
from tests.command import command
from tests.strategies import sampled

ROUNDS = 3
KEPT_ALL, KEPT_SOME, BESIDE = ("local",), ("fedper", "fedrep", "fedbn"), ("ditto", "pfedme")


def run(tmp_path: Path, strategy: str, quickstart: Path) -> hothouse.Run:
    changes = [
        f"federation.strategy={strategy}",
        f"federation.rounds={ROUNDS}",
        "federation.clients_per_round=1.0",
        "data.partition.clients=4",
        "data.partition.alpha=1.0",
        "model.normalization=batch",
        "model.layers=[16]",
    ]
    return hothouse.run(quickstart, overrides=changes, engine="local", out=tmp_path / strategy)


def holdout(run: hothouse.Run, client: int) -> tuple[torch.Tensor, list[int]]:
    prepared: Prepared = prepare(run.scenario)
    rows = prepared.holdout_examples(client)
    return torch.from_numpy(np.array(prepared.x[rows])), prepared.y[rows].tolist()


@pytest.mark.parametrize("strategy", sampled([*KEPT_ALL, *KEPT_SOME, *BESIDE], "fedper"))
def test_own_models_are_as_good_as_the_run_measured(tmp_path: Path, quickstart: Path, strategy: str) -> None:
    done = run(tmp_path, strategy, quickstart)
    right = total = 0
    for client in range(4):
        rows, labels = holdout(done, client)
        right += sum(map(int.__eq__, done.own_model(client).predict(rows), labels))
        total += len(labels)
    assert right / total == pytest.approx(done.metrics.personal_accuracy.iloc[-1], abs=1e-9)


@pytest.mark.parametrize("strategy", sampled([*KEPT_ALL, *KEPT_SOME], "fedper"))
def test_a_global_model_with_untrained_arrays_is_refused(tmp_path: Path, quickstart: Path, strategy: str) -> None:
    done = run(tmp_path, strategy, quickstart)
    np.save(tmp_path / "rows.npy", np.zeros((2, 64)))
    told = command("predict", done.folder, "--data", tmp_path / "rows.npy")
    assert (told.returncode, told.stdout) == (2, "")
    assert f"with {strategy} clients keep" in told.stderr
    assert "--client CLIENT, gives a client's own model" in told.stderr
    with pytest.raises(hothouse.InputError, match="were never trained"):
        _ = done.model
    with pytest.raises(hothouse.InputError, match="were never trained"):
        export_run(done.folder, tmp_path / "a.hothouse", onnx=True)
    back = import_run(export_run(done.folder, tmp_path / "a.hothouse"), tmp_path / "back")
    assert "**Not for use as it is**" in (back.folder / "README.md").read_text()
    assert command("predict", done.folder, "--data", tmp_path / "rows.npy", "--client", 2).returncode == 0


def test_a_clients_own_model_travels_in_an_archive(tmp_path: Path, quickstart: Path) -> None:
    done = run(tmp_path, "fedper", quickstart)
    back = import_run(export_run(done.folder, tmp_path / "a.hothouse", client=2), tmp_path / "back")
    rows, _ = holdout(done, 2)
    assert torch.equal(back.model(rows), done.own_model(2)(rows))
    assert not torch.equal(back.model(rows), done.own_model(1)(rows))
    assert "the own model of client 2" in (back.folder / "README.md").read_text()
    with pytest.raises(hothouse.InputError, match="an archive has none"):
        back.own_model(1)


@pytest.mark.slow
def test_where_there_is_no_own_model_it_is_said(tmp_path: Path, quickstart: Path) -> None:
    plain = run(tmp_path, "fedavg", quickstart)
    with pytest.raises(hothouse.InputError, match="fedavg has one model for all"):
        plain.own_model(0)
    own = run(tmp_path, "fedper", quickstart)
    with pytest.raises(hothouse.InputError, match="expected a client from 0 to 3, found 4"):
        own.own_model(4)


def test_to_start_from_untrained_arrays_is_told(tmp_path: Path, quickstart: Path) -> None:
    done = run(tmp_path, "fedper", quickstart)
    changes = [f"model.from={done.folder}", "model.layers=[16]", "model.normalization=batch", "federation.rounds=1"]
    again = hothouse.run(quickstart, overrides=changes, engine="local", out=tmp_path / "again")
    told = [event["reason"] for event in again.events if event["event"] == "partly new"]
    assert told == ["2 arrays were never trained in the run to start from, such as layers.1.weight"]
