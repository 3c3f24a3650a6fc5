"""Trackers get every round once, however often a run is killed and resumed: read back as TensorBoard and MLflow do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import hothouse
from common.extend.events import Observer
from common.run_files import Metrics
from common.trackers.places import place_of
from tests.processes import HOTHOUSE
from tests.strategies import sampled

SCALARS = ["clients", "train_loss", "test_accuracy", "validation_loss", "bytes_up"]


def scenario(*tracking: Any, rounds: int = 6) -> dict[str, Any]:
    return {
        "name": "tracked",
        "data": {
            "source": {"kind": "sklearn", "name": "iris"},
            "test_fraction": 0.2,
            "validation_fraction": 0.2,
            "partition": {"scheme": "iid", "clients": 4},
        },
        "model": {"layers": [4]},
        "federation": {"rounds": rounds},
        "evaluation": {"every": 2},
        "checkpoints": {"every": 2},
        "tracking": list(tracking),
    }


class At(Observer):
    """Does something as a round ends."""

    def __init__(self, after_round: int, act: Callable[[], None]) -> None:
        self.after_round, self.act = after_round, act

    def on_round_end(self, metrics: Metrics) -> None:
        if metrics["round"] == self.after_round:
            self.act()


def from_csv(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv")


def from_tensorboard(folder: Path) -> pd.DataFrame:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    columns = {}
    for tag in events.Tags()["scalars"]:
        points = events.Scalars(tag)
        steps = [point.step for point in points]
        assert len(set(steps)) == len(steps), f"{tag} has a step twice"
        times = [point.wall_time for point in points]
        assert times == sorted(times)
        columns[tag.removeprefix("run/").replace("/", "_")] = pd.Series([point.value for point in points], steps)
    return pd.DataFrame(columns).rename_axis("round").reset_index()


def from_mlflow(folder: Path) -> pd.DataFrame:
    (run,) = mlflow_runs(folder.parent / "mlflow.db", "tracked")
    client = mlflow_client(folder.parent / "mlflow.db")
    columns = {}
    for name in run.data.metrics:
        points = client.get_metric_history(run.info.run_id, name)
        steps = [point.step for point in points]
        assert len(set(steps)) == len(steps), f"{name} has a step twice"
        columns[name] = pd.Series([point.value for point in points], steps)
    return pd.DataFrame(columns).rename_axis("round").reset_index()


def mlflow_client(store: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{store}")


def mlflow_runs(store: Path, experiment: str) -> list[Any]:
    client = mlflow_client(store)
    return list(client.search_runs([client.get_experiment_by_name(experiment).experiment_id]))


READERS = {"csv": from_csv, "tensorboard": from_tensorboard, "mlflow": from_mlflow}


def assert_tracked(kind: str, run: hothouse.Run, *more: str) -> None:
    """What the tracker has is what the run recorded."""
    seen, recorded = READERS[kind](run.folder), run.metrics
    assert seen["round"].tolist() == recorded["round"].tolist()
    for name in [*SCALARS, *more]:
        # TensorBoard keeps single precision.
        pd.testing.assert_series_equal(seen[name], recorded[name], check_dtype=False, rtol=1e-6, check_names=False)


@pytest.mark.parametrize("kind", sampled(READERS, "csv", "tensorboard"))
def test_a_tracker_gets_what_the_run_records(kind: str, tmp_path: Path) -> None:
    run = hothouse.run(scenario(kind), engine="local", out=tmp_path / "run")
    assert_tracked(kind, run, "seconds")
    assert [event["event"] for event in run.events if event["event"] != "checkpoint"] == []


@pytest.mark.parametrize("kind", sampled(READERS, "csv"))
def test_a_run_killed_and_resumed_has_each_round_once(kind: str, tmp_path: Path) -> None:
    """The tracker keeps what it had, rounds beyond the last checkpoint too, as it does when a process is killed."""
    folder, then = tmp_path / "run", tmp_path / "then"
    copy = At(3, lambda: shutil.copytree(folder, then) and None)
    hothouse.run(scenario(kind), engine="local", out=folder, observers=[copy])
    # The run as it was after round 3, its newest checkpoint of round 2; the tracker has rounds 3 to 6 already.
    for name in ("metrics.jsonl", "events.jsonl", "summary.json", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True)
        (then / name).rename(folder / name)
    resumed = hothouse.resume(folder, engine="local")
    assert [event["round"] for event in resumed.events if event["event"] == "resumed"] == [2]
    assert_tracked(kind, resumed)


@pytest.mark.parametrize("kind", sampled(READERS, "csv", "tensorboard"))
def test_a_prolonged_run_goes_on_where_it_was_tracked(kind: str, tmp_path: Path) -> None:
    hothouse.run(scenario(kind, rounds=4), engine="local", out=tmp_path / "run")
    assert_tracked(kind, hothouse.resume(tmp_path / "run", rounds=8, engine="local"))


@pytest.mark.parametrize("kind", sampled(READERS, "csv", "tensorboard"))
def test_a_tracker_may_join_when_a_run_is_resumed(kind: str, tmp_path: Path) -> None:
    hothouse.run(scenario(rounds=3), engine="local", out=tmp_path / "run")
    path = tmp_path / "run" / "scenario.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"tracking": [kind]}))
    assert_tracked(kind, hothouse.resume(tmp_path / "run", rounds=6, engine="local"))


@pytest.mark.slow
def test_mlflow_has_the_scenario_as_parameters_and_how_the_run_ended(tmp_path: Path) -> None:
    store = tmp_path / "store" / "mine.db"
    tracking = {"kind": "mlflow", "experiment": "flowers", "store": str(store)}
    hothouse.run(scenario(tracking), engine="local", out=tmp_path / "fine")
    with pytest.raises(hothouse.RunError):
        hothouse.run(
            scenario(tracking), overrides=["training.optimizer.lr=1e30"], engine="local", out=tmp_path / "diverged"
        )
    fine, diverged = sorted(mlflow_runs(store, "flowers"), key=lambda run: run.info.start_time)
    assert (fine.info.run_name, fine.info.status) == ("fine", "FINISHED")
    assert (diverged.info.run_name, diverged.info.status) == ("diverged", "FAILED")
    assert fine.data.params["data.partition.clients"] == "4"
    assert fine.data.params["model.layers"] == "[4]"
    assert diverged.data.params["training.optimizer.lr"] == "1e+30"
    assert fine.data.tags["hothouse.folder"] == str(tmp_path / "fine")
    assert not (Path.cwd() / "mlruns").exists()


def test_tensorboard_shows_the_scenario(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    hothouse.run(
        scenario({"kind": "tensorboard", "folder": str(tmp_path / "logs")}), engine="local", out=tmp_path / "run"
    )
    events = EventAccumulator(str(tmp_path / "logs" / "run"))
    events.Reload()
    (text,) = events.Tensors("scenario/text_summary")
    assert b"clients: 4" in text.tensor_proto.string_val[0]
    assert "_hparams_/session_start_info" in events.summary_metadata


@pytest.mark.slow
def test_a_changed_run_is_another_run_of_mlflow(tmp_path: Path) -> None:
    hothouse.run(scenario("mlflow", rounds=3), engine="local", out=tmp_path / "run")
    path = tmp_path / "run" / "scenario.yaml"
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.2"))
    hothouse.resume(tmp_path / "run", rounds=6, engine="local", allow_changes=True)
    second, first = mlflow_runs(tmp_path / "mlflow.db", "tracked")
    assert [run.data.params["training.optimizer.lr"] for run in (first, second)] == ["0.1", "0.2"]
    assert [run.data.params["federation.rounds"] for run in (first, second)] == ["3", "6"]


@pytest.mark.slow
def test_runs_at_the_same_time_share_one_store(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(scenario("mlflow")))
    command = [HOTHOUSE, "run", path, "--engine", "local", "--quiet", "--out"]
    running = [subprocess.Popen([*command, tmp_path / name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    assert [one.communicate(timeout=120)[1] for one in running] == ["", ""]
    assert {run.info.run_name for run in mlflow_runs(tmp_path / "mlflow.db", "tracked")} == set("ab")


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow"])
def test_a_missing_library_is_told_before_anything_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(scenario()).replace("tracking: []", f"tracking:\n- csv\n- {kind}"))
    line = path.read_text().splitlines().index(f"- {kind}") + 1
    with pytest.raises(hothouse.InputError) as caught:
        hothouse.run(path, engine="local", out=tmp_path / "run")
    assert str(caught.value) == (
        f"{path}:{line}: tracking.1: {kind} needs the package {kind}: pip install 'hothouse[{kind}]'"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["csv", "tensorboard", "mlflow"])
def test_a_file_where_a_folder_should_be_is_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    option = {"store": str(tmp_path / "file" / "m.db")} if kind == "mlflow" else {"folder": str(tmp_path / "file")}
    with pytest.raises(hothouse.InputError, match=str(tmp_path / "file")):
        hothouse.run(scenario({"kind": kind, **option}), engine="local", out=tmp_path / "run")


def test_a_tracker_that_fails_on_the_way_is_let_go(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    tracking = {"kind": "csv", "folder": str(folder)}

    def replace() -> None:
        shutil.rmtree(folder)
        folder.write_text("a file now")

    run = hothouse.run(scenario(tracking), engine="local", out=tmp_path / "run", observers=[At(2, replace)])
    assert run.summary["status"] == "complete"
    (failed,) = [event for event in run.events if event["event"] == "tracking failed"]
    assert failed["round"] == 3
    assert failed["reason"].startswith("CsvTracker: ")


class TestPlacesThatRunsShare:
    @pytest.mark.parametrize("kind", ["csv", "tensorboard"])
    def test_runs_of_one_name_keep_apart(self, kind: str, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        chosen = scenario({"kind": kind, "folder": str(shared)}, rounds=2)
        for month, seed in (("jan", 1), ("feb", 2)):
            hothouse.run(chosen, seed=seed, engine="local", out=tmp_path / month / "base")
        suffix = ".csv" if kind == "csv" else ""
        assert {path.name for path in shared.iterdir() if not path.name.startswith(".")} == {
            f"base{suffix}",
            f"base-2{suffix}",
        }
        hothouse.resume(tmp_path / "feb" / "base", rounds=4, engine="local")
        hothouse.resume(tmp_path / "jan" / "base", rounds=3, engine="local")
        assert len(list(shared.glob("base*"))) == 2, "each goes on in its own place"
        for name, rounds in (("base", 3), ("base-2", 4)):
            if kind == "csv":
                assert pd.read_csv(shared / f"{name}.csv")["round"].tolist() == list(range(rounds + 1))
            else:
                from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

                events = EventAccumulator(str(shared / name))
                events.Reload()
                assert [point.step for point in events.Scalars("test/accuracy")][-1] == rounds

    def test_a_run_that_moves_keeps_its_place_and_a_copy_gets_its_own(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        for name in ("a/base", "other"):
            (tmp_path / name).mkdir(parents=True)
        first = place_of(tmp_path / "a" / "base", shared, ".csv")
        first.write_text("x")
        shutil.copytree(tmp_path / "a" / "base", tmp_path / "b" / "base")
        assert place_of(tmp_path / "b" / "base", shared, ".csv") == shared / "base-2.csv"
        (tmp_path / "a" / "base").rename(tmp_path / "moved")
        assert place_of(tmp_path / "moved", shared, ".csv") == first
        (shared / "other.csv").write_text("somebody's")
        assert place_of(tmp_path / "other", shared, ".csv") == shared / "other-2.csv"


class TestATrackerNeverStopsARun:
    @pytest.mark.slow
    def test_whose_mlflow_run_was_deleted(self, tmp_path: Path) -> None:
        pytest.importorskip("mlflow")
        from mlflow import MlflowClient

        store = tmp_path / "m.db"
        chosen = scenario({"kind": "mlflow", "store": str(store)}, rounds=2)
        run = hothouse.run(chosen, engine="local", out=tmp_path / "r")
        (former,) = json.loads((run.folder / "mlflow.json").read_text()).values()
        client = MlflowClient(f"sqlite:///{store}")
        client.delete_run(former)
        hothouse.resume(run, rounds=3, engine="local")
        (now,) = json.loads((run.folder / "mlflow.json").read_text()).values()
        assert now != former
        assert [point.step for point in client.get_metric_history(now, "test_accuracy")] == [0, 2, 3]

    def test_that_is_resumed_where_its_tracker_cannot_write(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        chosen = scenario({"kind": "csv", "folder": str(shared)}, rounds=2)
        run = hothouse.run(chosen, engine="local", out=tmp_path / "r")
        shutil.rmtree(shared)
        shared.write_text("a file where the folder should be")
        again = hothouse.resume(run, rounds=3, engine="local")
        assert again.summary["status"] == "complete"
        (told,) = [event["reason"] for event in again.events if event["event"] == "tracking failed"]
        assert told.startswith("CsvTracker: InputError: ")
