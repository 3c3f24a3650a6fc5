"""The command line: what it prints, what it exits with, and how it ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from common.errors import InputError
from hothouse.deployment.supernode import become_supernode
from tests.command import command
from tests.processes import HOTHOUSE, ray_processes, rounds_in, start, until

LOCAL = ["--engine", "local", "--set", "federation.rounds=2"]


def process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`hothouse` in a process of its own."""
    return subprocess.run([HOTHOUSE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)


def test_a_run_tells_its_rounds_and_ends_in_a_table(quickstart: Path, tmp_path: Path) -> None:
    done = process("run", quickstart, *LOCAL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "20 clients with 1,036 examples to train on, a classification of 10 classes, a model of 6,570 parameters, "
        "2 rounds"
    )
    assert lines[2].startswith("round 1/2  loss ")
    for word in ("test accuracy", "clients/s", "left"):
        assert word in lines[2]
    assert "best by validation accuracy" in done.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert lines[-1] == f"Run folder: runs/{folder.name}"
    assert folder.name.startswith("quickstart-")


def test_quiet_prints_the_folder_alone(quickstart: Path, tmp_path: Path) -> None:
    done = command("run", quickstart, *LOCAL, "--quiet", "--out", tmp_path / "run")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/run\n", "")


def test_json_is_an_object_per_line(quickstart: Path, tmp_path: Path) -> None:
    done = command("run", quickstart, *LOCAL, "--json", "--out", tmp_path / "run")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [event["event"] for event in events if event["event"] != "checkpoint"]
    assert told == ["opened", "started", "round", "round", "round", "finished"]
    assert events[-1]["summary"]["status"] == "complete"


def test_a_supernode_is_told_by_which_options_it_would_not_find_its_clientapps() -> None:
    done = command("supernode", "--superlink", "127.0.0.1:9092", "--isolation", "subprocess")
    assert done.returncode == 2
    assert done.stderr.startswith("--isolation: hothouse supernode chooses this itself")


def test_a_supernode_without_flowers_command_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hothouse.deployment.supernode.which", lambda *_, **__: None)
    with pytest.raises(InputError, match=r"expected Flower's flower-supernode in \S+ or on the PATH"):
        become_supernode("127.0.0.1", 9094, 1, [])


def test_validate_says_what_a_scenario_is(quickstart: Path) -> None:
    done = command("validate", quickstart, "--set", "federation.rounds=7")
    assert done.returncode == 0
    assert "fine. quickstart: 20 clients of sklearn data, 10 in each of 7 rounds, fedavg" in done.stdout


def test_validate_tells_every_mistake_and_exits_with_2(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("seed: -1\ndata:\n  source: {kind: sklearn, name: digit}\n")
    done = command("validate", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{path}:1: seed: expected a number of at least 0, got -1",
        f"{path}:3: data.source.name: expected one of digits, breast_cancer, wine, iris, diabetes, got 'digit'; "
        "did you mean digits?",
    ]


def test_schema_is_json() -> None:
    assert json.loads(command("schema").stdout)["title"] == "Scenario"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["run"], "Missing argument 'SCENARIO'"),
        (["rnu"], "No such command 'rnu'"),
        (["run", "x.yaml", "--sed", "1"], "No such option"),
        (["run", "x.yaml", "--engine", "spark"], "Invalid value for '--engine'"),
        (["run", "x.yaml", "--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_wrong_input_exits_with_2_and_no_traceback(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_mistake_in_the_data_names_the_scenarios_line(quickstart: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("data:\n  source:\n    kind: idx\n    path: nowhere\n")
    done = command("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert done.stderr == f"{path}:4: data.source.path: no folder {tmp_path}/nowhere\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_that_cannot_go_on_exits_with_1(quickstart: Path, tmp_path: Path) -> None:
    diverge = ["--set", "training.optimizer.lr=1e30", "--out", tmp_path / "run"]
    done = process("run", quickstart, *LOCAL, *diverge)
    assert done.returncode == 1
    assert done.stderr.startswith("the run failed: round 1: 0 of 10 clients sent a usable reply")
    assert done.stderr.endswith(f"; see logs/run.log\nRun folder: {tmp_path}/run\n")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_ray_that_does_not_start_is_told_and_leaves_nothing(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/dev/null/nowhere")
    before = ray_processes()
    done = process("run", quickstart, "--workers", 1, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("the run failed: Ray could not be started (")
    assert done.stderr.endswith("; --engine local runs without it\n")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
    until(lambda: not ray_processes() - before, 20)


def test_an_interrupt_before_there_is_a_folder_promises_nothing(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(scenario: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hothouse.running.launch.prepare", interrupted)
    done = command("run", quickstart, *LOCAL, "--out", tmp_path / "run")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "interrupted\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("how", "background"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM in a script's background"],
)
def test_an_interrupted_run_is_marked_incomplete_and_leaves_no_process(
    quickstart: Path, tmp_path: Path, how: signal.Signals, background: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody else's Ray, which a run of its own must not join.
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
    before, folder = ray_processes(), tmp_path / "run"
    # What a script starts with & is deaf to Ctrl-C, and is to stay so.
    signal.signal(signal.SIGINT, signal.SIG_IGN if background else signal.default_int_handler)
    try:
        running = start("run", quickstart, "--workers", 2, "--set", "federation.rounds=5000", "--out", folder)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    until(lambda: rounds_in(folder) > 3)
    if background:
        os.killpg(running.pid, signal.SIGINT)
        # Nothing came of it.
        seen = rounds_in(folder)
        until(lambda: rounds_in(folder) > seen + 20)
    if how == signal.SIGINT:
        # As a terminal does: the whole foreground group gets the signal, Ray's processes too.
        os.killpg(running.pid, how)
    else:
        running.send_signal(how)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 1
    assert errors == f"interrupted; {folder} is marked incomplete, `hothouse resume {folder}` goes on with it\n"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["reason"]) == ("incomplete", "interrupted")
    assert summary["rounds"] >= 2
    until(lambda: not ray_processes() - before, 20)
