"""A sweep does every run once, with the bits it has alone, whatever fails or dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import hothouse
from common.scenario import Scenario
from hothouse.sweeps.execute import RunOutcome
from hothouse.sweeps.result import Sweep
from hothouse.sweeps.summary import lines
from hothouse.sweeps.watcher import Watcher
from tests.command import command
from tests.processes import commands, fork, kill, processes_of, ray_processes, start, until
from tests.resuming import assert_same

LR, COHORT = "training.optimizer.lr", "federation.clients_per_round"


def flowers(**more: Any) -> dict[str, Any]:
    """A quick scenario, and what makes a sweep of it."""
    return {
        "name": "flowers",
        "seed": 3,
        "data": {
            "source": {"kind": "sklearn", "name": "iris"},
            "test_fraction": 0.2,
            "validation_fraction": 0.2,
            "partition": {"scheme": "iid", "clients": 6},
        },
        "model": {"layers": [8]},
        "federation": {"rounds": 4},
        "checkpoints": {"every": 2},
        **more,
    }


TWO_BY_TWO = {"matrix": {LR: [0.01, 0.1], COHORT: [3, 6]}}


def models(sweep: hothouse.Sweep) -> dict[str, bytes]:
    """Every run's weights."""
    return {name: (run.folder / "model.safetensors").read_bytes() for name, run in sweep.runs.items()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Sweep:
    """Two by two values with two seeds, in this process."""
    out = tmp_path_factory.mktemp("straight") / "sweep"
    return hothouse.sweep(flowers(**TWO_BY_TWO, seeds=2), engine="local", out=out)


def test_every_combination_is_run_with_every_seed(straight: hothouse.Sweep) -> None:
    found = straight.table[[LR, COHORT, "seed"]].to_records(index=False).tolist()
    assert found == [(lr, cohort, seed) for lr in (0.01, 0.1) for cohort in (3, 6) for seed in (3, 4)]
    assert set(straight.table.status) == {"complete"}
    assert sorted(entry.name for entry in (straight.folder / "runs").iterdir()) == sorted(straight.table.run)
    assert straight.table.run[0] == "lr=0.01,clients_per_round=3,seed=3"


def test_a_run_of_a_sweep_is_an_ordinary_run(straight: hothouse.Sweep, tmp_path: Path) -> None:
    name = "lr=0.1,clients_per_round=3,seed=4"
    of_the_sweep = hothouse.load(straight.folder / "runs" / name)
    text = (of_the_sweep.folder / "scenario.yaml").read_text()
    assert not {"matrix", "seeds", "search"} & set(yaml.safe_load(text))
    alone = hothouse.run(of_the_sweep.folder / "scenario.yaml", engine="local", out=tmp_path / "alone")
    assert_same(alone, of_the_sweep)
    changed = [f"{LR}=0.1", f"{COHORT}=3"]
    by_hand = hothouse.run(flowers(), overrides=changed, seed=4, engine="local", out=tmp_path / "by-hand")
    assert_same(by_hand, of_the_sweep)


def test_the_table_has_what_the_runs_recorded(straight: hothouse.Sweep) -> None:
    for row in straight.table.to_dict("records"):
        last = hothouse.load(straight.folder / "runs" / str(row["run"])).metrics.iloc[-1]
        assert row["validation_accuracy"] == last.validation_accuracy
        assert row["test_loss"] == last.test_loss
    written = pd.read_csv(straight.folder / "results.csv", keep_default_na=False)
    assert written.run.tolist() == straight.table.run.tolist()
    assert "<table" in straight._repr_html_()


def test_the_best_run_is_the_best_on_validation_rows(straight: hothouse.Sweep) -> None:
    assert straight.best is not None
    best = straight.best.metrics.validation_accuracy.iloc[-1]
    assert best == straight.table.validation_accuracy.max()


def test_without_rows_to_judge_by_there_is_no_best(tmp_path: Path) -> None:
    scenario = flowers(seeds=2)
    scenario["data"]["validation_fraction"] = 0.0
    done = hothouse.sweep(scenario, engine="local", out=tmp_path / "sweep")
    assert len(done) == 2
    assert done.goal is None
    assert done.best is None


@pytest.mark.usefixtures("two_workers")
@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 2])
def test_several_runs_at_once_have_the_same_bits(straight: hothouse.Sweep, tmp_path: Path, at_once: int) -> None:
    """With one run at once its clients are trained by two actors, with two each run has one."""
    scenario = flowers(matrix={LR: [0.1], COHORT: [3]}, seeds=2)
    done = hothouse.sweep(scenario, workers=2, at_once=at_once, out=tmp_path / "sweep")
    assert len(done) == 2
    assert models(done).items() <= models(straight).items()


class Album(Watcher):
    """Copies the sweep's folder after every round: what would be left had it been killed at that moment."""

    def __init__(self, album: Path) -> None:
        super().__init__()
        self.album = album

    def tick(self) -> None:
        assert self.folder is not None
        shutil.copytree(self.folder, self.album / f"{len(list(self.album.glob('*'))):03d}")


def finished_files(folder: Path) -> dict[str, tuple[int, int]]:
    """The weights of the runs that are complete, and when they were written."""
    found = {}
    for path in (folder / "runs").glob("*/model.safetensors"):
        if json.loads((path.parent / "summary.json").read_text())["status"] == "complete":
            found[path.parent.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


@pytest.mark.slow
def test_a_sweep_killed_after_any_round_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    watcher, out = Album(tmp_path / "album"), tmp_path / "straight"
    straight = hothouse.sweep(flowers(matrix={LR: [0.01, 0.1]}), engine="local", out=out, watcher=watcher)
    photographs = sorted((tmp_path / "album").iterdir())
    assert len(photographs) >= 2 * 5
    for photograph in photographs:
        before = finished_files(photograph)
        done = hothouse.sweep(photograph, engine="local")
        assert models(done) == models(straight)
        assert finished_files(photograph).items() >= before.items(), "a finished run is not repeated"
        resumed = [run for run in done.runs.values() if any(one["event"] == "resumed" for one in run.events)]
        assert len(resumed) <= 1


def test_a_finished_sweep_has_nothing_left_to_do(straight: hothouse.Sweep) -> None:
    before = finished_files(straight.folder)
    assert models(hothouse.sweep(straight.folder)) == models(straight)
    assert finished_files(straight.folder) == before


def test_more_values_and_seeds_may_join_later(straight: hothouse.Sweep, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    hothouse.sweep(flowers(matrix={LR: [0.1], COHORT: [3, 6]}), engine="local", out=out, overrides=["seeds=1"])
    before = finished_files(out)
    assert len(before) == 2
    done = hothouse.sweep(flowers(**TWO_BY_TWO), engine="local", out=out, overrides=["seeds=2"])
    assert models(done) == models(straight)
    assert finished_files(out).items() >= before.items()


def test_another_sweep_in_the_folder_is_refused_with_what_differs(straight: hothouse.Sweep) -> None:
    with pytest.raises(hothouse.InputError) as caught:
        hothouse.sweep(flowers(**TWO_BY_TWO), overrides=["model.layers=[9]"], engine="local", out=straight.folder)
    assert "holds another sweep" in str(caught.value)
    assert "model.layers: was [8], is [9]" in str(caught.value)
    with pytest.raises(hothouse.InputError, match=r"matrix\.training\.epochs: was not set, is swept"):
        hothouse.sweep(
            flowers(matrix={**TWO_BY_TWO["matrix"], "training.epochs": [1, 2]}), engine="local", out=straight.folder
        )


def test_a_folder_that_holds_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(hothouse.InputError, match="is not empty"):
        hothouse.sweep(flowers(seeds=2), engine="local", out=tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def test_a_kept_scenario_that_is_no_plain_file_is_not_read(straight: hothouse.Sweep, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(straight.folder, tmp_path / "sweep"))
    kept = next(copy.glob("runs/*/scenario.yaml"))
    uses: dict[Path, Callable[[], Any]] = {
        kept: lambda: hothouse.sweep(copy, engine="local"),
        copy / "sweep.yaml": lambda: Sweep(copy).scenario,
    }
    for path, use in uses.items():
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(hothouse.InputError, match=f"{path}: expected a plain file"):
            use()


def test_two_processes_do_not_run_the_same_sweep(tmp_path: Path) -> None:
    class Second(Watcher):
        said = ""

        def tick(self) -> None:
            if not self.said:
                with pytest.raises(hothouse.InputError) as caught:
                    hothouse.sweep(tmp_path / "sweep", engine="local")
                self.said = str(caught.value)

    second = Second()
    hothouse.sweep(flowers(seeds=2), engine="local", out=tmp_path / "sweep", watcher=second)
    assert second.said == f"{tmp_path}/sweep: another process is running this sweep"


def test_a_run_that_fails_is_listed_and_the_others_go_on(tmp_path: Path) -> None:
    scenario = flowers(matrix={LR: [0.1, 1e30, 0.05]})
    done = hothouse.sweep(scenario, engine="local", out=tmp_path / "sweep")
    assert done.table.status.tolist() == ["complete", "failed", "complete"]
    (reason,) = done.failed.values()
    assert "0 of 6 clients sent a usable reply" in reason
    assert done.table.reason[1] == reason
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["status"] == "complete"


def test_a_failure_nobody_thought_of_leaves_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = hothouse.run

    def sabotaged(scenario: Scenario, **options: Any) -> hothouse.Run:
        if scenario.seed == 4:
            raise ZeroDivisionError("nobody thought of this")
        return real(scenario, **options)

    monkeypatch.setattr("hothouse.sweeps.execute.run", sabotaged)
    done = hothouse.sweep(flowers(seeds=3), engine="local", out=tmp_path / "sweep")
    assert done.records[1]["status"] == "failed"
    assert "ZeroDivisionError: nobody thought of this" in done.failed["seed=4"]
    assert "Traceback" in (tmp_path / "sweep" / "runs" / "seed=4" / "failure.log").read_text()
    assert [done.records[place]["status"] for place in (0, 2)] == ["complete", "complete"]


def test_paths_are_relative_to_the_scenario_wherever_the_sweep_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, shift in (("a", 0), ("b", 1)):
        rng = np.random.default_rng(shift)
        np.savez(tmp_path / f"{name}.npz", x_train=rng.normal(size=(60, 3)), y_train=np.arange(60) % 2)
    path = tmp_path / "s.yaml"
    sources = [{"kind": "npz", "path": "a.npz"}, {"kind": "npz", "path": "b.npz"}]
    path.write_text(
        yaml.safe_dump({"data": {"source": sources[0]}, "matrix": {"data.source.path": ["a.npz", "b.npz"]}})
    )
    done = hothouse.sweep(path, engine="local", out=tmp_path / "sweep")
    used = [run.scenario.data.source.path for run in done.runs.values()]
    assert used == [str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    before = finished_files(tmp_path / "sweep")
    hothouse.sweep(tmp_path / "sweep", engine="local")
    assert finished_files(tmp_path / "sweep") == before


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_runs_at_once_are_tracked_in_one_store(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    done = hothouse.sweep(flowers(seeds=3, tracking=["mlflow"]), workers=2, out=tmp_path / "sweep")
    client = MlflowClient(f"sqlite:///{tmp_path}/sweep/runs/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("flowers").experiment_id])
    assert {run.info.run_name for run in found} == set(done.runs)
    assert {run.data.params["seed"] for run in found} == {"3", "4", "5"}
    for run in found:
        assert run.data.metrics["test_accuracy"] == done.runs[run.info.run_name].metrics.test_accuracy.iloc[-1]


def test_combinations_are_told_by_their_mean_over_seeds(straight: hothouse.Sweep) -> None:
    first = lines(straight)[0]
    rows = straight.table
    for key, value in first.values.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 2
    assert first.metrics["validation_accuracy"].mean == pytest.approx(rows.validation_accuracy.mean())
    assert first.metrics["validation_accuracy"].mean == max(
        one.metrics["validation_accuracy"].mean for one in lines(straight)
    )


def test_the_time_left_follows_from_the_rounds_so_far(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    watcher = Watcher()
    watcher.started(tmp_path, planned=4, rounds=40, goal=None)
    assert watcher.seconds_left() is None
    watcher.run_ended("before", RunOutcome("complete"), {})
    watcher.run_started("one", folder, 10)
    watcher._begun = time.monotonic() - 10
    (folder / "metrics.jsonl").write_text('{"round": 4}\n{"round": 5}\n{"rou')
    assert watcher.rounds_done() == 15
    assert watcher.seconds_left() == pytest.approx(10 / 5 * 25, rel=0.05)
    watcher.run_ended("one", RunOutcome("pruned"), {"round": 5})
    assert watcher.rounds_done() == 20, "what a pruned run would have done is not left to do"


SLOW = flowers(
    seeds=3, federation={"rounds": 25}, training={"epochs": 10, "trainer": "torch"}, checkpoints={"every": 5}
)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Sweep:
    """The slow sweep, undisturbed."""
    return hothouse.sweep(SLOW, engine="local", out=tmp_path_factory.mktemp("calm") / "sweep")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(SLOW))
    return path


def under_way(folder: Path) -> bool:
    """Whether a run of a sweep has trained for some rounds."""
    return any(one.read_text().count("\n") > 12 for one in folder.glob("runs/*/metrics.jsonl"))


@pytest.mark.faults
class TestOnRay:
    """Real processes, killed."""

    @pytest.mark.usefixtures("two_workers")
    def test_a_run_whose_process_dies_goes_on_in_another(self, calm: hothouse.Sweep, tmp_path: Path) -> None:
        killed: list[int] = []

        class Killer(Watcher):
            def tick(self) -> None:
                running = [one for one, told in commands().items() if told.startswith("ray::RunWorker.execute")]
                rounds = [under.latest().get("round", 0) for under in self.running.values()]
                # Each run at work has a checkpoint by then, so whichever process dies, its run is resumed.
                if not killed and running and rounds and min(rounds) > 10:
                    killed.append(running[0])
                    kill(running[0])

        done = hothouse.sweep(SLOW, workers=2, out=tmp_path / "sweep", watcher=Killer())
        assert killed
        assert models(done) == models(calm)
        resumed = [event for run in done.runs.values() for event in run.events if event["event"] == "resumed"]
        assert resumed

    def killed(self, folder: Path, scenario: Path) -> None:
        running = fork(hothouse.sweep, scenario, workers=2, out=folder)
        until(lambda: under_way(folder), 90)
        running.kill()
        running.join()

    def interrupted(self, folder: Path, scenario: Path) -> None:
        running = start("sweep", scenario, "--workers", 2, "--out", folder)
        until(lambda: under_way(folder), 90)
        os.killpg(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=60)
        assert running.returncode == 1
        assert errors == f"interrupted; {folder} is marked incomplete, `hothouse resume {folder}` goes on with it\n"
        unfinished = [run for run in Sweep(folder).runs.values() if run.summary["status"] != "complete"]
        assert {run.summary["reason"] for run in unfinished} == {"interrupted"}

    @pytest.mark.parametrize("ended", [killed, interrupted], ids=["kill -9", "Ctrl-C"])
    @pytest.mark.usefixtures("two_workers")
    def test_a_sweep_that_is_ended_goes_on(
        self, calm: hothouse.Sweep, written: Path, tmp_path: Path, ended: Callable[[TestOnRay, Path, Path], None]
    ) -> None:
        before, folder = ray_processes(), tmp_path / "sweep"
        ended(self, folder, written)
        until(lambda: not ray_processes() - before, 30)
        complete = finished_files(folder)
        again = command("resume", folder, "--workers", 2, "--quiet")
        assert again.returncode == 0, again.stderr
        assert models(Sweep(folder)) == models(calm)
        assert finished_files(folder).items() >= complete.items()

    def test_ray_itself_may_die(self, calm: hothouse.Sweep, written: Path, tmp_path: Path) -> None:
        folder = tmp_path / "sweep"
        running = fork(hothouse.sweep, written, workers=2, out=folder)
        until(lambda: under_way(folder), 90)
        for process in processes_of(running.pid, "/raylet"):
            kill(process)
        running.join(180)
        assert running.exitcode == 0
        assert models(Sweep(folder)) == models(calm)
