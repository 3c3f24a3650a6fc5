"""A run that was interrupted goes on with the same bits, or says why it cannot."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import hothouse
from common.extend.events import Observer
from common.run_files import Metrics
from tests.resuming import Photographer, assert_resumes, assert_same

SHORT = ["federation.rounds=7"]
KEPT = [*SHORT, "training.optimizer_state=client"]


@pytest.mark.slow
def test_a_run_killed_after_any_round_goes_on_with_the_same_bits(quickstart: Path, tmp_path: Path) -> None:
    assert_resumes(quickstart, tmp_path, SHORT)


@pytest.mark.slow
def test_what_clients_keep_is_resumed_too(quickstart: Path, tmp_path: Path) -> None:
    assert_resumes(quickstart, tmp_path, KEPT)
    unkept = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "unkept")
    kept = hothouse.load(tmp_path / "straight")
    assert kept.metrics.train_loss.iloc[-1] != unkept.metrics.train_loss.iloc[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_what_clients_keep_is_the_same_on_ray(quickstart: Path, tmp_path: Path) -> None:
    local = hothouse.run(quickstart, overrides=KEPT, engine="local", out=tmp_path / "local")
    assert_same(hothouse.run(quickstart, overrides=KEPT, workers=2, out=tmp_path / "ray"), local)


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_a_run_may_go_on_elsewhere(quickstart: Path, tmp_path: Path) -> None:
    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    hothouse.run(quickstart, overrides=["federation.rounds=4"], engine="local", out=tmp_path / "part")
    assert_same(hothouse.resume(tmp_path / "part", rounds=7, workers=2), straight)


@pytest.mark.parametrize("every", [1, 3])
def test_a_finished_run_is_prolonged_as_if_it_had_been_longer(quickstart: Path, tmp_path: Path, every: int) -> None:
    seldom = [f"evaluation.every={every}"]
    long = hothouse.run(quickstart, overrides=["federation.rounds=10", *seldom], engine="local", out=tmp_path / "long")
    hothouse.run(quickstart, overrides=["federation.rounds=4", *seldom], engine="local", out=tmp_path / "short")
    prolonged = hothouse.resume(tmp_path / "short", rounds=10, engine="local")
    assert_same(prolonged, long)
    assert prolonged.summary["best"]["round"] == long.summary["best"]["round"]


@pytest.mark.parametrize(
    "schedule", ["cosine", "{name: linear, final: 0.1}", "{name: cosine, by: step}", "exponential"]
)
def test_a_schedule_keeps_its_length_in_a_run_that_is_prolonged(
    quickstart: Path, tmp_path: Path, schedule: str
) -> None:
    overrides = ["federation.rounds=3", f"training.schedule={schedule}"]
    short = hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path / "run")
    longer = ["federation.rounds=5"]
    straight = hothouse.run(short.folder / "scenario.yaml", overrides=longer, engine="local", out=tmp_path / "straight")
    assert_same(hothouse.resume(tmp_path / "run", rounds=5, engine="local"), straight)
    if "step" not in schedule and schedule != "exponential":
        assert short.scenario.training.schedule[0].length == 3  # type: ignore[union-attr]


class Stopper(Observer):
    """Stops a run as Ctrl-C does."""

    def __init__(self, after_round: int) -> None:
        self.after_round = after_round

    def on_round_end(self, metrics: Metrics) -> None:
        if metrics["round"] == self.after_round:
            raise KeyboardInterrupt


def interrupted(quickstart: Path, folder: Path, *overrides: str, after: int = 5) -> Path:
    with pytest.raises(KeyboardInterrupt):
        hothouse.run(quickstart, overrides=[*SHORT, *overrides], engine="local", out=folder, observers=[Stopper(after)])
    return folder


def test_an_interrupted_run_saves_the_round_it_had_finished(quickstart: Path, tmp_path: Path) -> None:
    folder = interrupted(quickstart, tmp_path / "run", "checkpoints.every=100")
    assert [path.name for path in (folder / "checkpoints").glob("round-*")] == ["round-000004.safetensors"], (
        "round 5 was being told when the interrupt came"
    )
    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    resumed = hothouse.resume(folder, engine="local")
    assert_same(resumed, straight)
    assert [event["round"] for event in resumed.events if event["event"] == "resumed"] == [4]


def test_a_failure_to_save_at_the_break_does_not_hide_why_it_broke(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> int:
        raise KeyError(0)

    monkeypatch.setattr("server.record.checkpoints.Checkpoints.save", failing)
    folder = interrupted(quickstart, tmp_path / "run", "checkpoints.every=100", "checkpoints.best=false")
    run = hothouse.load(folder)
    assert run.summary["reason"] == "interrupted"
    assert "checkpoint failed" in [event["event"] for event in run.events]


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(quickstart: Path, tmp_path: Path) -> None:
    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    folder = interrupted(quickstart, tmp_path / "run", "checkpoints.every=1")
    newest = folder / "checkpoints" / "round-000005.safetensors"
    newest.write_bytes(newest.read_bytes()[:-10])
    resumed = hothouse.resume(folder, engine="local")
    assert_same(resumed, straight)
    (damaged,) = [event for event in resumed.events if event["event"] == "damaged"]
    assert damaged["file"] == "round-000005.safetensors"


def test_without_a_sound_checkpoint_a_run_begins_again(quickstart: Path, tmp_path: Path) -> None:
    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    folder = interrupted(quickstart, tmp_path / "run")
    for path in (folder / "checkpoints").glob("round-*"):
        path.write_bytes(b"")
    assert_same(hothouse.resume(folder, engine="local"), straight)


def test_lines_torn_by_a_kill_are_dropped(quickstart: Path, tmp_path: Path) -> None:
    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    folder = interrupted(quickstart, tmp_path / "run", "checkpoints.every=2")
    metrics = folder / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:-25])
    assert_same(hothouse.resume(folder, engine="local"), straight)


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(hothouse.InputError) as caught:
        hothouse.resume(folder, engine="local", **options)
    return str(caught.value)


def test_a_kill_between_a_checkpoint_and_its_line_loses_only_how_long_the_round_took(
    quickstart: Path, tmp_path: Path
) -> None:
    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    hothouse.run(quickstart, overrides=["federation.rounds=4"], engine="local", out=tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(lines[:-1]))
    resumed = hothouse.resume(tmp_path / "run", rounds=7, engine="local")
    assert_same(resumed, straight)
    assert resumed.metrics.seconds[4] == 0


def test_a_changed_scenario_is_refused_with_what_differs(quickstart: Path, tmp_path: Path) -> None:
    folder = interrupted(quickstart, tmp_path / "run")
    scenario = yaml.safe_load((folder / "scenario.yaml").read_text())
    scenario["training"]["optimizer"]["lr"] = 0.07
    scenario["data"]["client_holdout"] = 0.1
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    told = refusal(folder)
    assert "training.optimizer.lr: was 0.05, is 0.07" in told
    assert "data.client_holdout: was 0.2, is 0.1" in told
    assert "  data: was " in told
    allowed = hothouse.resume(folder, engine="local", allow_changes=True)
    (changed,) = [event for event in allowed.events if event["event"] == "changed"]
    assert any("training.optimizer.lr" in line for line in changed["differences"])


def test_changed_data_is_refused(npz: Path, tmp_path: Path) -> None:
    scenario = {"data": {"source": {"kind": "npz", "path": str(npz)}}, "federation": {"rounds": 4}}
    with pytest.raises(KeyboardInterrupt):
        hothouse.run(scenario, engine="local", out=tmp_path / "run", observers=[Stopper(2)])
    with np.load(npz) as archive:
        arrays = dict(archive)
    np.savez(npz, **{**arrays, "x_train": arrays["x_train"] + 1})
    assert "  data: was " in refusal(tmp_path / "run")


def test_other_software_is_refused(quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from common import software

    folder = interrupted(quickstart, tmp_path / "run")
    monkeypatch.setattr(software, "version", lambda name: "9.9")
    assert "versions.torch: was 2." in refusal(folder)


def test_a_complete_run_has_nothing_to_go_on_with(quickstart: Path, tmp_path: Path) -> None:
    run = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "run")
    assert "is complete after 7 rounds; --rounds N extends it" in refusal(run.folder)
    assert "is complete after 7 rounds" in refusal(run.folder, rounds=5)
    assert "found no summary.json" in refusal(tmp_path)


def test_a_folder_removed_in_mid_run_comes_back_whole(quickstart: Path, tmp_path: Path) -> None:
    class Remover(Stopper):
        def on_round_end(self, metrics: Metrics) -> None:
            if metrics["round"] == self.after_round:
                shutil.rmtree(tmp_path / "run")

    straight = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "straight")
    run = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "run", observers=[Remover(3)])
    assert_same(run, straight)
    assert run.summary["status"] == "complete"
    assert (run.folder / "scenario.yaml").read_text() == (straight.folder / "scenario.yaml").read_text()
    assert [event["event"] for event in run.events] == [event["event"] for event in straight.events]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some checkpoints."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_full_for_a_while_costs_a_checkpoint_and_nothing_else(
    quickstart: Path, tmp_path: Path, small_disk: Path
) -> None:
    class Filler(Stopper):
        def on_round_end(self, metrics: Metrics) -> None:
            if metrics["round"] == 2:
                with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
                    while True:
                        filler.write(bytes(4096))
            if metrics["round"] == 4:
                (small_disk / "filler").unlink()

    often = [*SHORT, "checkpoints.every=1", "checkpoints.best=false"]
    straight = hothouse.run(quickstart, overrides=often, engine="local", out=tmp_path / "straight")
    run = hothouse.run(quickstart, overrides=often, engine="local", out=small_disk / "run", observers=[Filler(0)])
    assert_same(run, straight)
    failed = [event for event in run.events if event["event"] == "checkpoint failed"]
    assert [event["round"] for event in failed] == [3, 4]
    assert failed[0]["reason"].endswith("checkpoints: No space left on device")


def test_a_deadline_that_fired_is_repeated(quickstart: Path, tmp_path: Path) -> None:
    overrides = [*SHORT, "federation.blocks=2", "checkpoints.every=4"]
    straight = hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path / "straight")
    album = tmp_path / "album"
    hothouse.run(
        quickstart,
        overrides=overrides,
        engine="local",
        out=tmp_path / "late",
        observers=[Photographer(tmp_path / "late", album)],
    )
    folder = album / "6"
    late = {"round": 6, "event": "excluded", "clients": [0], "blocks": [1], "reason": "no reply within 5 seconds"}
    with (folder / "events.jsonl").open("a") as events:
        events.write(json.dumps(late) + "\n")
    resumed = hothouse.resume(folder, engine="local")
    assert resumed.metrics.clients.tolist() == [0, 10, 10, 10, 10, 10, 5, 10]
    assert straight.metrics.clients.tolist() == [0] + [10] * 7
    repeated = [event for event in resumed.events if event["event"] == "excluded"]
    assert [(event["round"], event["blocks"], event["reason"]) for event in repeated] == [
        (6, [1], "no reply within 5 seconds")
    ]
