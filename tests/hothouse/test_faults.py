"""Faults tried on real runs: what dies is replaced, what fails is named, the rest has the same bits."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hothouse
from common.extend.events import Observer
from common.run_files import Metrics
from tests.processes import (
    abandoned,
    fork,
    kill,
    processes_of,
    proportional_memory,
    ray_processes,
    rounds_in,
    shared_memory,
    start,
    until,
)
from tests.resuming import assert_same
from tests.strategies import every_strategy

ROUNDS = ("federation.rounds=3", "federation.clients_per_round=1.0", "federation.blocks=4")


def killed_amid_training(folder: Path, round_number: int, clients: Sequence[int]) -> dict[str, str]:
    """The node config with which clients hang once in a round; when all of them do, their workers are killed."""
    marks = {client: folder / f"hanging-{client}" for client in clients}
    faults = [{"what": "hang", "round": round_number, "client": one, "once": str(mark)} for one, mark in marks.items()]

    def murder() -> None:
        until(lambda: all(mark.exists() and mark.read_text() for mark in marks.values()))
        for mark in marks.values():
            kill(int(mark.read_text()))

    threading.Thread(target=murder, daemon=True).start()
    return {"faults": json.dumps(faults)}


def trouble(run: hothouse.Run) -> list[tuple[str, int]]:
    """The events that are no checkpoints, with their rounds."""
    return [(event["event"], event["round"]) for event in run.events if event["event"] != "checkpoint"]


@pytest.mark.usefixtures("two_workers")
class TestWorkersThatDie:
    @pytest.mark.faults
    @pytest.mark.parametrize("clients", [[3], [0, 19]], ids=["one", "both"])
    @pytest.mark.parametrize(
        "kept",
        [[], ["training.optimizer_state=client", "training.optimizer.momentum=0.5"]],
        ids=["nothing kept", "what clients keep"],
    )
    def test_in_the_middle_of_a_round(
        self, quickstart: Path, tmp_path: Path, clients: list[int], kept: list[str]
    ) -> None:
        overrides = [*ROUNDS, *kept]
        run = hothouse.run(
            quickstart,
            overrides=overrides,
            workers=2,
            out=tmp_path / "run",
            node_config=killed_amid_training(tmp_path, 2, clients),
        )
        assert trouble(run) == [("retry", 2)] * len(clients)
        assert_same(run, hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path / "calm"))

    @pytest.mark.faults
    def test_at_a_certain_client_once(self, quickstart: Path, tmp_path: Path) -> None:
        short = ["federation.rounds=3"]
        faults = json.dumps([{"what": "kill", "round": 2, "once": str(tmp_path / "mark")}])
        run = hothouse.run(quickstart, overrides=short, workers=2, out=tmp_path / "run", node_config={"faults": faults})
        assert trouble(run) == [("retry", 2)]
        assert_same(run, hothouse.run(quickstart, overrides=short, engine="local", out=tmp_path / "calm"))

    @pytest.mark.faults
    def test_of_the_same_client_every_time(self, quickstart: Path, tmp_path: Path) -> None:
        overrides = ["federation.rounds=2", "federation.clients_per_round=1.0"]
        faults = json.dumps([{"what": "kill", "round": 1, "client": 4}])
        run = hothouse.run(
            quickstart, overrides=overrides, workers=2, out=tmp_path / "run", node_config={"faults": faults}
        )
        assert trouble(run) == [("retry", 1)] * 3 + [("excluded", 1)]
        (excluded,) = [event for event in run.events if event["event"] == "excluded"]
        assert 4 in excluded["clients"]
        assert excluded["reason"] == "its worker died 3 times"
        assert run.metrics.clients.tolist() == [0, 20 - len(excluded["clients"]), 20]


class TestClientsThatFail:
    ALL = ("federation.rounds=3", "federation.clients_per_round=1.0", "federation.blocks=3")

    def ran(self, quickstart: Path, folder: Path, *faults: dict[str, Any], **options: Any) -> hothouse.Run:
        return hothouse.run(
            quickstart,
            overrides=list(self.ALL),
            out=folder,
            node_config={"faults": json.dumps(faults)},
            **{"engine": "local", **options},
        )

    @pytest.mark.parametrize(
        ("what", "reason"),
        [
            ("raise", "its training raised RuntimeError: a fault on purpose"),
            ("nan", "its weights became infinite or NaN in training"),
            ("inf", "its weights became infinite or NaN in training"),
        ],
    )
    def test_alone_are_left_out_alone(self, quickstart: Path, tmp_path: Path, what: str, reason: str) -> None:
        run = self.ran(quickstart, tmp_path / "run", {"what": what, "client": 7, "round": 2})
        assert run.metrics.clients.tolist() == [0, 20, 19, 20]
        (excluded,) = [event for event in run.events if event["event"] == "excluded"]
        assert (excluded["round"], excluded["clients"], excluded["reason"]) == (2, [7], reason)
        again = self.ran(quickstart, tmp_path / "again", {"what": what, "client": 7, "round": 2})
        assert_same(again, run)

    @pytest.mark.faults
    @pytest.mark.usefixtures("two_workers")
    def test_fail_alike_on_ray(self, quickstart: Path, tmp_path: Path) -> None:
        fault = {"what": "raise", "client": 7, "round": 2}
        local = self.ran(quickstart, tmp_path / "local", fault)
        assert_same(self.ran(quickstart, tmp_path / "ray", fault, engine="ray", workers=2), local)

    @pytest.mark.faults
    @pytest.mark.usefixtures("two_workers")
    def test_to_answer_in_the_right_shape_are_left_out(self, quickstart: Path, tmp_path: Path) -> None:
        fault = {"what": "shape", "client": 7, "round": 2}
        run = self.ran(quickstart, tmp_path / "run", fault, engine="ray", workers=2)
        (excluded,) = [event for event in run.events if event["event"] == "excluded"]
        assert 7 in excluded["clients"]
        assert excluded["reason"].startswith("the reply is refused: its layers.0.weight has the shape")
        assert run.metrics.clients.tolist() == [0, 20, 20 - len(excluded["clients"]), 20]

    @pytest.mark.faults
    @pytest.mark.usefixtures("two_workers")
    def test_to_answer_in_time_are_left_out(self, quickstart: Path, tmp_path: Path) -> None:
        started = time.monotonic()
        run = hothouse.run(
            quickstart,
            overrides=[*self.ALL, "federation.deadline=6"],
            out=tmp_path / "run",
            workers=2,
            node_config={"faults": json.dumps([{"what": "hang", "client": 7, "round": 2}])},
        )
        assert time.monotonic() - started < 60
        (excluded,) = [event for event in run.events if event["event"] == "excluded"]
        assert (excluded["round"], excluded["reason"]) == (2, "no reply within 6 seconds")
        assert 7 in excluded["clients"]
        assert run.metrics.clients.tolist() == [0, 20, 20 - len(excluded["clients"]), 20]


def restarts(folder: Path) -> int:
    """How often a run has told that it started Ray again."""
    return (folder / "events.jsonl").read_text().count("Ray died; it was started again")


@pytest.mark.faults
class TestRayItself:
    @pytest.mark.parametrize("victims", [["/raylet"], ["gcs_server", "/raylet"]], ids=["once", "once more"])
    def test_is_started_again_when_it_dies(self, quickstart: Path, tmp_path: Path, victims: list[str]) -> None:
        before, folder = ray_processes(), tmp_path / "run"
        overrides = ["federation.rounds=300"]
        running = fork(hothouse.run, quickstart, overrides=overrides, workers=2, out=folder)
        until(lambda: rounds_in(folder) > 10)
        for times, victim in enumerate(victims, 1):
            for process in processes_of(running.pid, victim):
                kill(process)
            until(lambda times=times: restarts(folder) == times or not running.is_alive())  # type: ignore[misc]
        running.join(120)
        assert running.exitcode == 0
        assert restarts(folder) == len(victims)
        run = hothouse.load(folder)
        calm = hothouse.run(quickstart, overrides=overrides, engine="local", out=tmp_path / "calm")
        assert_same(run, calm)
        until(lambda: not ray_processes() - before, 20)

    def test_that_takes_the_driver_with_it_leaves_word_of_how_to_resume(self, quickstart: Path, tmp_path: Path) -> None:
        """Ray's own code ends a driver without a word when its control process dies twice in quick succession."""
        before, folder = ray_processes(), tmp_path / "run"
        running = start("run", quickstart, "--workers", 2, "--set", "federation.rounds=3000", "--out", folder)
        until(lambda: rounds_in(folder) > 10)
        while running.poll() is None and rounds_in(folder) < 2500:
            for process in processes_of(running.pid, "gcs_server"):
                kill(process)
            time.sleep(0.3)
        _, errors = running.communicate(timeout=30)
        until(lambda: not ray_processes() - before, 20)
        assert f"hothouse resume {folder}" in errors
        summary = hothouse.load(folder).summary
        assert summary["status"] == "incomplete"
        assert summary["reason"] != "the run has not ended"
        resumed = hothouse.resume(folder, rounds=rounds_in(folder) + 5, engine="local")
        assert resumed.summary["status"] == "complete"

    def test_kills_a_worker_that_devours_the_memory(self, quickstart: Path, tmp_path: Path) -> None:
        memory = {line.split(":")[0]: int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()}
        threshold = 1 - (memory["MemAvailable"] - 2 * 1024**2) / memory["MemTotal"]
        faults = [{"what": "memory", "round": 2, "client": 3, "bytes": 8 << 30, "once": str(tmp_path / "mark")}]
        code = (
            "import hothouse, sys\n"
            f"hothouse.run({str(quickstart)!r}, workers=2, out={str(tmp_path / 'run')!r},"
            f" overrides=['federation.rounds=3', 'federation.clients_per_round=1.0'],"
            f" node_config={{'faults': {json.dumps(faults)!r}}})"
        )
        environment = {
            **os.environ,
            "RAY_memory_usage_threshold": f"{threshold:.4f}",
            "RAY_memory_monitor_refresh_ms": "50",
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        run = hothouse.load(tmp_path / "run")
        assert ("retry", 2) in trouble(run)
        calm = hothouse.run(
            quickstart,
            overrides=["federation.rounds=3", "federation.clients_per_round=1.0"],
            engine="local",
            out=tmp_path / "calm",
        )
        assert_same(run, calm)


@pytest.mark.faults
class TestDriversThatDie:
    """kill -9 of the driver at random moments: resumed, it ends with the same bits; nothing is left."""

    STRATEGIES = tuple(every_strategy())
    LENGTH = ("federation.rounds=14", "training.epochs=1")
    PROLONGED = 16

    def killed(self, quickstart: Path, folder: Path, number: int, **engine: Any) -> list[str]:
        """Begin a run with one strategy or another and kill it; returns the overrides it was begun with."""
        moment = random.Random(number)
        overrides = [*self.LENGTH, *every_strategy()[self.STRATEGIES[3 * number % len(self.STRATEGIES)]]]
        running = fork(hothouse.run, quickstart, overrides=overrides, out=folder, **engine)
        first = moment.randrange(1, 12)
        until(lambda: rounds_in(folder) > first or not running.is_alive())
        time.sleep(moment.random() * 0.02)
        running.kill()
        running.join()
        assert rounds_in(folder) > first
        return overrides

    def assert_goes_on(self, quickstart: Path, folder: Path, overrides: list[str]) -> None:
        # A moment may be the one after the last round: prolonged, every run has something to go on with.
        prolonged = [*overrides, f"federation.rounds={self.PROLONGED}"]
        calm = hothouse.run(quickstart, overrides=prolonged, engine="local", out=folder.with_name("calm"))
        assert_same(hothouse.resume(folder, rounds=self.PROLONGED, engine="local"), calm)

    @pytest.mark.parametrize("number", range(20))
    def test_in_process(self, quickstart: Path, tmp_path: Path, number: int) -> None:
        overrides = self.killed(quickstart, tmp_path / "run", number, engine="local")
        self.assert_goes_on(quickstart, tmp_path / "run", overrides)

    @pytest.mark.parametrize("number", range(2))
    def test_on_ray(self, quickstart: Path, tmp_path: Path, number: int) -> None:
        before, memory = ray_processes(), shared_memory()
        overrides = self.killed(quickstart, tmp_path / "run", number, workers=2)
        until(lambda: not ray_processes() - before, 20)
        assert not abandoned(shared_memory() - memory)
        self.assert_goes_on(quickstart, tmp_path / "run", overrides)


@pytest.mark.faults
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C twice", "SIGTERM, Ctrl-C"])
def test_a_second_interrupt_loses_nothing(quickstart: Path, tmp_path: Path, first: signal.Signals) -> None:
    before, folder = ray_processes(), tmp_path / "run"
    running = start("run", quickstart, "--workers", 2, "--set", "federation.rounds=2000", "--out", folder)
    until(lambda: rounds_in(folder) > 15)
    os.killpg(running.pid, first)
    time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode != 0
    assert hothouse.load(folder).summary["status"] == "incomplete"
    until(lambda: not ray_processes() - before, 20)
    resumed = hothouse.resume(folder, rounds=200, engine="local")
    calm = hothouse.run(quickstart, overrides=["federation.rounds=200"], engine="local", out=tmp_path / "calm")
    assert_same(resumed, calm)


@pytest.mark.bench
def test_two_thousand_rounds_need_no_more_memory_and_no_more_time(quickstart: Path, tmp_path: Path) -> None:
    readings: dict[int, dict[str, int]] = {}

    class Watcher(Observer):
        def on_round_end(self, metrics: Metrics) -> None:
            if metrics["round"] and metrics["round"] % 200 == 0:
                readings[metrics["round"]] = proportional_memory(os.getpid())

    overrides = ["federation.rounds=2000", "training.epochs=1", "training.optimizer_state=client"]
    run = hothouse.run(quickstart, overrides=overrides, workers=2, out=tmp_path / "run", observers=[Watcher()])
    assert set(readings[2000]) == set(readings[200])
    for process, first in readings[200].items():
        # By the line through all readings: any one of them may have come at an odd moment.
        slope = np.polyfit(list(readings), [reading[process] for reading in readings.values()], 1)[0]
        assert 1800 * slope < 0.05 * first + 2_000, f"{process}, {first} kB, grows by {slope:.2f} kB a round"
    seconds = run.metrics.seconds
    assert seconds[1600:].median() < 2 * seconds[200:600].median()
    assert (run.folder / "metrics.jsonl").stat().st_size < 2_000 * 1_000
    files = [path.name.partition("-")[0] for path in (run.folder / "checkpoints").iterdir()]
    assert sorted(files) == ["best.safetensors", *["clients"] * 3, *["round"] * 2], "each with what clients kept"
