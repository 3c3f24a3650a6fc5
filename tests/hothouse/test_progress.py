"""What people see of a run: on a terminal, in a pipe, in a script; and what is in its log."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hothouse
from common.extend.events import Event, Notice, Observer, WorkerEvent
from common.run_files import Metrics
from hothouse.running.progress import WorkerDisplay
from tests.command import command
from tests.processes import HOTHOUSE

LOCAL = ["--engine", "local", "--set", "federation.rounds=4"]


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """The status of a command, and what it wrote to the pseudo-terminal it ran on."""
    master, slave = pty.openpty()
    size = {"COLUMNS": "140", "LINES": "40", "TERM": "xterm-256color"}
    running = subprocess.Popen(
        [HOTHOUSE, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **size}
    )
    os.close(slave)
    written = b""
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        written += more
    os.close(master)
    return running.wait(timeout=60), written.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


@pytest.mark.slow
def test_a_terminal_has_a_live_display_that_goes_away(quickstart: Path, tmp_path: Path) -> None:
    status, written = on_a_terminal(
        "run", quickstart, *LOCAL, "--set", "training.epochs=2000", "--out", tmp_path / "run"
    )
    assert status == 0
    text = plain(written)
    for words in (
        "3/4",
        "loss ",
        "test accuracy",
        "clients/s",
        "left",
        "of 10 clients trained",
        "workers ●",
        "training",
    ):
        assert words in text, words
    assert "\x1b[?25l" in written, "the cursor hides"
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l"), "and comes back"
    assert "round 1/4  loss" not in text, "no line per round"
    assert text.rstrip().endswith(f"Run folder: {tmp_path}/run")


@pytest.mark.slow
def test_a_failure_on_a_terminal_is_one_sentence_and_the_display_is_gone(quickstart: Path, tmp_path: Path) -> None:
    broken = ["--set", "training.optimizer.lr=1e30", "--out", tmp_path / "run"]
    status, written = on_a_terminal("run", quickstart, *LOCAL, *broken)
    assert status == 1
    assert written.count("\x1b[?25h") >= written.count("\x1b[?25l") >= 1
    lines = plain(written).strip().splitlines()
    assert any(line.startswith("the run failed: round 1: 0 of 10 clients") for line in lines[-3:]), lines
    assert lines[-1] == f"Run folder: {tmp_path}/run"
    assert "Traceback" not in plain(written)


def test_a_pipe_has_plain_lines_without_colours(quickstart: Path, tmp_path: Path) -> None:
    done = command("run", quickstart, *LOCAL, "--out", tmp_path / "run")
    assert "\x1b" not in done.stdout + done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("round ")] == [
        f"{number}/4" for number in range(5)
    ]


def test_json_lines_are_json_whatever_happens(quickstart: Path, tmp_path: Path) -> None:
    astray = ["--set", "training.optimizer.lr=1e30", "--set", "federation.min_clients=10"]
    done = command("run", quickstart, *LOCAL, *astray, "--json", "--out", tmp_path / "run")

    def no_constant(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    events = [json.loads(line, parse_constant=no_constant) for line in done.stdout.splitlines()]
    assert events[0] == {"event": "opened", "folder": str(tmp_path / "run")}
    assert events[-1]["event"] == "failed"
    assert events[-1]["reason"].startswith("round 1: 0 of 10 clients sent a usable reply")
    assert done.returncode == 1


def test_verbose_shows_what_flower_logs(quickstart: Path, tmp_path: Path) -> None:
    done = command("run", quickstart, *LOCAL, "-v", "--out", tmp_path / "run")
    assert "flwr: aggregate_train: Received" in done.stderr
    assert "flwr: aggregate_train: Received" in (tmp_path / "run" / "logs" / "run.log").read_text()


class Grumbler(Observer):
    """Warns as libraries do, in every round; and keeps what is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def on_round_end(self, metrics: Metrics) -> None:
        logging.getLogger("flwr").warning("the flower wilts")
        logging.getLogger("ray").error("the ray bends")
        warnings.warn("the snake hisses", RuntimeWarning, stacklevel=1)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Notice) and event.name == "warning":
            self.told.append((event.details["source"], event.details["reason"]))


def test_warnings_are_told_once_and_logged_every_time(
    quickstart: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    grumbler = Grumbler()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        hothouse.run(
            quickstart,
            overrides=["federation.rounds=3"],
            engine="local",
            out=tmp_path / "run",
            observers=[grumbler],
        )
    assert grumbler.told == [
        ("flwr", "the flower wilts"),
        ("ray", "the ray bends"),
        ("Python", "RuntimeWarning: the snake hisses"),
    ]
    log = (tmp_path / "run" / "logs" / "run.log").read_text()
    assert [log.count(words) for words in ("the flower wilts", "the ray bends", "RuntimeWarning: the snake")] == [4] * 3
    assert capfd.readouterr() == ("", ""), "nothing of it reaches the screen by itself"
    with pytest.warns(UserWarning, match="afterwards"):
        warnings.warn("afterwards warnings go where they went before", stacklevel=1)


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_what_workers_warn_of_is_told_once(quickstart: Path, tmp_path: Path) -> None:
    grumbler = Grumbler()
    grumbler.on_round_end = lambda metrics: None  # type: ignore[method-assign]
    hothouse.run(
        quickstart,
        overrides=["federation.rounds=3"],
        workers=2,
        out=tmp_path / "run",
        observers=[grumbler],
        node_config={"faults": json.dumps([{"what": "warn"}])},
    )
    assert grumbler.told == [("a worker", "UserWarning: a warning on purpose")]


def test_a_clients_real_traceback_is_in_the_log(quickstart: Path, tmp_path: Path) -> None:
    run = hothouse.run(
        quickstart,
        overrides=["federation.rounds=2", "federation.clients_per_round=1.0"],
        engine="local",
        out=tmp_path / "run",
        node_config={"faults": json.dumps([{"what": "raise", "client": client, "round": 2} for client in (3, 4)])},
    )
    log = (run.folder / "logs" / "run.log").read_text()
    assert "round 2: excluded clients=[3], reason=its training raised RuntimeError: a fault on purpose" in log
    assert re.search(r'File ".*clients/blocks/faults\.py", line \d+, in _raise\n', log)
    assert log.count("Traceback") == 1, "the same mistake of another client needs no second one"
    reasons = [event["reason"] for event in run.events if event["event"] == "excluded"]
    assert reasons == ["its training raised RuntimeError: a fault on purpose"] * 2


def test_a_run_that_breaks_off_says_why_in_its_log_and_report(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(hothouse.RunError):
        hothouse.run(quickstart, overrides=["training.optimizer.lr=1e30"], engine="local", out=tmp_path / "run")
    log = (tmp_path / "run" / "logs" / "run.log").read_text()
    assert "the run broke off" in log
    assert "RunError: round 1: 0 of 10 clients" in log
    report = (tmp_path / "run" / "report.html").read_text()
    assert '<span class="pill bad">incomplete</span>' in report
    assert "round 1: 0 of 10 clients sent a usable reply" in report


def test_lights_show_each_worker_or_count_many() -> None:
    lights = WorkerDisplay()
    assert lights.__rich__().plain == ""
    lights.expect(10)
    lights.worked(WorkerEvent(1, "train", 4))
    lights.worked(WorkerEvent(0, "train", 6))
    lights.worked(WorkerEvent(0, "train", 6, seconds=0.1))
    lights.worked(WorkerEvent(0, "evaluate", 6))
    assert lights.__rich__().plain == "6 of 10 clients trained   workers ●● measuring training"
    lights.worked(WorkerEvent(1, "train", 4, seconds=0.2))
    lights.worked(WorkerEvent(0, "evaluate", 6, seconds=0.2))
    assert lights.__rich__().plain == "10 of 10 clients trained   workers ○○"
    for worker in np.arange(40).tolist():
        lights.worked(WorkerEvent(worker, "train", 1))
    assert lights.__rich__().plain.endswith("40 of 40 workers busy")
