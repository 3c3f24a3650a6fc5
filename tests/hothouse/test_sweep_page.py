"""The page of a sweep opens offline without a complaint and says what came out; so does the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
import yaml
from rich.console import Console

import hothouse
from hothouse.sweeps.display import LiveSweep
from hothouse.sweeps.execute import RunOutcome
from hothouse.sweeps.goal import Goal
from hothouse.sweeps.result import Sweep
from hothouse.sweeps.summary import best_sentence, lines, results_table
from tests.browser import Browser
from tests.command import command
from tests.hothouse.test_sweep import COHORT, LR, flowers

RANGE = {LR: {"low": 1e-4, "high": 1.0, "log": True}, COHORT: {"low": 2, "high": 6}}


SWEEPS: dict[str, dict[str, Any]] = {
    "a matrix": {"matrix": {LR: [0.01, 0.1, 1e30], "model.layers": [[4], []]}, "seeds": 2},
    "a search": {"search": {"trials": 8, "startup": 3, "space": RANGE, "warmup": 1}},
    "only seeds": {"seeds": 2},
    "nothing finished": {"matrix": {LR: [1e30]}},
}


@pytest.mark.parametrize("kind", SWEEPS)
def test_the_page_opens_offline_without_a_complaint(kind: str, tmp_path: Path, browser: Browser) -> None:
    done = hothouse.sweep(flowers(**SWEEPS[kind]), engine="local", out=tmp_path / "sweep")
    browser.open(done.folder / "report.html")
    assert browser.complaints() == []
    text = browser.text()
    for heading in ("At a glance", "Runs", "Scenario", "Reproduce"):
        assert heading in text
    for name in done.table.run:
        assert name in text
    if kind == "nothing finished":
        assert "Failed runs" in text
        return
    for heading in ("Parallel coordinates", "Key by key", "Curves"):
        assert heading in text
    finished = int((done.table.status == "complete").sum())
    assert browser.count("#figure-0 .scatterlayer .trace") == finished, "a line for each finished run"
    if kind == "a matrix":
        assert {"Importance", "Over seeds", "Failed runs"} <= set(text.splitlines())
        assert "±" in text
    if kind == "a search":
        assert "Trials" in text
    assert done.best is not None
    names = json.dumps(done.best.folder.name)
    link = browser.ask(f"[...document.querySelectorAll('td a')].find(link => link.innerText === {names}).href")
    assert Path(unquote(urlparse(link).path)).is_relative_to(done.best.folder)


def test_a_phone_shows_the_page_without_scrolling_sideways(tmp_path: Path, browser: Browser) -> None:
    done = hothouse.sweep(flowers(**SWEEPS["a matrix"]), engine="local", out=tmp_path / "sweep")
    browser.resize(390, 800)
    try:
        browser.open(done.folder / "report.html")
        assert browser.ask("document.documentElement.scrollWidth") <= 390
    finally:
        browser.resize(1200, 900)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(flowers(matrix={LR: [0.05, 1e30]}, seeds=2)))
    return path


def test_the_command_tells_every_run_and_what_failed(written: Path, tmp_path: Path) -> None:
    done = command("sweep", written, "--engine", "local", "--out", tmp_path / "sweep")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "4 runs, 16 rounds in total, judged by validation accuracy"
    assert lines[1].startswith("[1/4] lr=0.05,seed=3: complete  validation accuracy 0.")
    assert lines[1].endswith(" left")
    assert lines[-1] == f"Sweep folder: {tmp_path}/sweep"
    assert "Best by mean validation accuracy: lr=0.05" in done.stdout
    assert done.stderr.splitlines()[0] == "2 of 4 runs failed:"
    assert done.stderr.splitlines()[1].startswith("  lr=1e+30,seed=3: ")
    assert "Traceback" not in done.stderr


def test_who_is_left_of_failed_seeds_is_marked_and_comes_last(tmp_path: Path) -> None:
    """A combination of which one seed of two finished is not the best, however well that one did."""
    done = hothouse.sweep(flowers(matrix={LR: [1e-4, 0.1]}, seeds=2), engine="local", out=tmp_path / "sweep")
    whole, best = lines(done)[1], lines(done)[0].values[LR]
    worse = min(
        (run for run in done.table.to_dict("records") if run[LR] == best), key=lambda r: r["validation_accuracy"]
    )
    record = [json.loads(line) for line in (done.folder / "sweep.jsonl").read_text().splitlines()]
    for entry in record:
        if entry["run"] == worse["run"]:
            entry |= {"status": "failed", "reason": "it went astray"}
    (done.folder / "sweep.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in record))
    sweep = Sweep(done.folder)
    first, second = lines(sweep)
    assert (first.values, first.whole) == (whole.values, True)
    assert (second.values[LR], second.whole) == (best, False)
    assert second.metrics["validation_accuracy"].mean > first.metrics["validation_accuracy"].mean
    assert best_sentence(sweep) == f"Best by mean validation accuracy: lr={whole.values[LR]:g}"
    console = Console(width=200, record=True)
    console.print(results_table(sweep))
    assert "1 of 2, 1 failed" in console.export_text()


def test_json_is_an_object_per_line(written: Path, tmp_path: Path) -> None:
    options = ["--set", f"matrix.{LR}=[0.1]", "--engine", "local", "--out", tmp_path / "sweep"]
    done = command("sweep", written, *options, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = ["started", *["run started", "run ended"] * 2, "finished"]
    assert [event["event"] for event in events] == told
    assert events[-1]["folder"] == str(tmp_path / "sweep")
    quiet = command("sweep", written, *options, "--quiet")
    assert (quiet.returncode, quiet.stdout) == (0, f"{tmp_path}/sweep\n")
    resumed = command("resume", tmp_path / "sweep", "--quiet")
    assert (resumed.returncode, resumed.stdout) == (0, f"{tmp_path}/sweep\n")
    refused = command("resume", tmp_path / "sweep", "--rounds", 9)
    assert (refused.returncode, refused.stderr) == (2, f"{tmp_path}/sweep is a sweep; --rounds is for a single run\n")


def test_validate_says_how_many_runs_there_are(written: Path) -> None:
    done = command("validate", written)
    assert done.returncode == 0
    assert "flowers: a sweep of 4 runs around 6 clients of sklearn data" in done.stdout


def test_the_live_table_shows_who_runs_and_the_time_left(tmp_path: Path) -> None:
    console = Console(width=100, force_terminal=False, record=True)
    live = LiveSweep(console)
    live.started(tmp_path, 3, 30, Goal("validation_accuracy", True))
    folder = tmp_path / "two"
    folder.mkdir()
    live.run_started("one", tmp_path / "one", 10)
    live.run_started("two", folder, 10)
    live.run_ended("one", RunOutcome("complete"), {"round": 10, "train_loss": 0.25, "validation_accuracy": 0.9})
    (folder / "metrics.jsonl").write_text('{"round": 4, "train_loss": 0.5, "validation_accuracy": 0.75}\n')
    console.print(live.table())
    text = console.export_text()
    assert "1 of 3 runs" in text
    assert "left" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["one", "complete", "10", "0.2500", "0.9000"] in rows
    assert ["two", "4/10", "0.5000", "0.7500", "0:00"] in rows


def test_json_is_json_also_of_what_went_astray(written: Path, tmp_path: Path) -> None:
    options = ["--set", f"matrix.{LR}=[100.0]", "--engine", "local", "--out", tmp_path / "sweep"]
    done = command("sweep", written, *options, "--json")

    def no_constant(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    assert [json.loads(line, parse_constant=no_constant) for line in done.stdout.splitlines()]
