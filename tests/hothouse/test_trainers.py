"""What trains is chosen once, for all hosts, by the scenario; it is told, and it does not change on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import clients.app
import clients.blocks.trainers
import hothouse
import server.app
import server.record.resume
from clients.compiled.library import library
from common.errors import InputError
from hothouse.running.progress import LiveProgress

SHORT = ["federation.rounds=3"]


@pytest.fixture
def not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there had been no compiler when Hothouse was installed."""
    for module in (clients.app, clients.blocks.trainers):
        monkeypatch.setattr(module, "library", lambda: None)


def events(run: hothouse.Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]


def run_local(scenario: Path, out: Path, *overrides: str, **more: Any) -> hothouse.Run:
    return hothouse.run(scenario, overrides=[*SHORT, *overrides], engine="local", out=out, **more)


@pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")
def test_the_engine_is_recorded(quickstart: Path, tmp_path: Path) -> None:
    run = run_local(quickstart, tmp_path / "a")
    assert run.summary["engine"] == "compiled"
    beyond = run_local(quickstart, tmp_path / "b", "model.dtype=float64")
    assert beyond.summary["engine"] == "torch"
    assert beyond.summary["engine_reason"] == "model.dtype float64 needs it"


@pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")
def test_both_engines_learn_the_same(quickstart: Path, tmp_path: Path) -> None:
    ours = run_local(quickstart, tmp_path / "a", "training.trainer=compiled").metrics
    theirs = run_local(quickstart, tmp_path / "b", "training.trainer=torch").metrics
    assert ours.train_loss.to_list()[1:] == pytest.approx(theirs.train_loss.to_list()[1:], abs=1e-4)


@pytest.mark.usefixtures("not_built")
def test_without_a_compiler_everything_runs_and_that_is_said_once(quickstart: Path, tmp_path: Path) -> None:
    console = Console(record=True, width=200)
    run = run_local(quickstart, tmp_path / "run", observers=[LiveProgress(console)])
    assert run.summary["engine"] == "torch"
    assert sum(event["event"] == "no compiled trainer" for event in events(run)) == 1
    assert console.export_text().count("install Hothouse again") == 1


@pytest.mark.usefixtures("not_built")
def test_a_scenario_that_insists_on_it_is_told_what_to_do(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training\.trainer.*expected auto or torch.*install Hothouse again"):
        run_local(quickstart, tmp_path / "run", "training.trainer=compiled")


def test_a_scenario_that_insists_on_what_it_does_not_do_is_refused(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training\.trainer.*auto or torch: model\.dtype float64 is not among"):
        run_local(quickstart, tmp_path / "run", "training.trainer=compiled", "model.dtype=float64")


@pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")
def test_a_run_is_not_resumed_with_another_engine(
    quickstart: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run_local(quickstart, tmp_path / "run")
    request.getfixturevalue("not_built")
    with pytest.raises(InputError, match="this run used the trainer compiled; the trainer torch gives different bits"):
        hothouse.resume(tmp_path / "run", rounds=4, engine="local")
    resumed = hothouse.resume(tmp_path / "run", rounds=4, engine="local", allow_changes=True)
    assert resumed.summary["engine"] == "torch"


@pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")
def test_a_run_is_resumed_on_a_processor_with_other_vectors_and_ends_with_the_same_bits(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_local(quickstart, tmp_path / "run")
    whole = run_local(quickstart, tmp_path / "whole", "federation.rounds=4")
    with monkeypatch.context() as older:
        older.setattr(library(), "lanes", 4)
        resumed = hothouse.resume(tmp_path / "run", rounds=4, engine="local")
    assert (resumed.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()


def test_scipy_and_scikit_learn_are_among_what_the_bits_depend_on(quickstart: Path, tmp_path: Path) -> None:
    run = run_local(quickstart, tmp_path / "run")
    assert {"scipy", "scikit-learn"} < set(run.summary["versions"])


def test_the_key_that_it_had_before_is_read_with_a_notice(quickstart: Path, tmp_path: Path) -> None:
    with pytest.warns(FutureWarning, match="the key engine was renamed to trainer; write trainer"):
        run = run_local(quickstart, tmp_path / "run", "training.engine=torch")
    assert run.scenario.training.trainer == "torch"
    assert "engine" not in (run.folder / "scenario.yaml").read_text()


def test_a_run_that_was_recorded_with_that_key_is_resumed(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def about_before(scenario: Any, prepared: Any) -> dict[str, Any]:
        told = about(scenario, prepared)
        told["scenario"]["training"]["engine"] = told["scenario"]["training"].pop("trainer")
        return told

    about = server.record.resume.about
    with monkeypatch.context() as before:
        before.setattr(server.app, "about", about_before)
        run = run_local(quickstart, tmp_path / "run", "training.trainer=torch")
    kept = run.folder / "scenario.yaml"
    kept.write_text(kept.read_text().replace("trainer: torch", "engine: torch"))
    with pytest.warns(FutureWarning, match="engine was renamed to trainer"):
        resumed = hothouse.resume(run.folder, rounds=4, engine="local")
    whole = run_local(quickstart, tmp_path / "whole", "training.trainer=torch", "federation.rounds=4")
    assert (resumed.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
