"""A search asks for the same values however it is run, judges by validation examples alone, and prunes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import hothouse
from hothouse.sweeps.importance import importance, main_effects
from hothouse.sweeps.pruning import Pruned, Pruner, PruningRule
from hothouse.sweeps.watcher import Watcher
from tests.hothouse.test_sweep import COHORT, LR, finished_files, flowers

SPACE = {
    LR: {"low": 1e-5, "high": 1.0, "log": True},
    "training.epochs": {"low": 1, "high": 3},
    "model.layers": {"choices": [[4], [8, 8], []]},
}


def searched(trials: int = 14, **more: Any) -> dict[str, Any]:
    search = {"trials": trials, "startup": 4, "parallel": 3, "warmup": 2, "space": SPACE, **more}
    return flowers(search=search, federation={"rounds": 6})


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Sweep:
    return hothouse.sweep(searched(), engine="local", out=tmp_path_factory.mktemp("straight") / "sweep")


def outcome(sweep: hothouse.Sweep) -> list[Any]:
    """What was asked for, and how each trial ended."""
    table = sweep.table.assign(**{"model.layers": sweep.table["model.layers"].map(repr)})
    return table[["run", *SPACE, "status", "rounds", "validation_accuracy"]].to_records(index=False).tolist()


def test_the_best_of_them_is_good(straight: hothouse.Sweep) -> None:
    assert straight.best is not None
    assert straight.best.metrics.test_accuracy.iloc[-1] > 0.8


def test_values_lie_in_their_ranges(straight: hothouse.Sweep) -> None:
    table = straight.table
    assert len(table) == 14
    assert table[LR].between(1e-5, 1).all()
    assert set(table["training.epochs"]) <= {1, 2, 3}
    assert {type(value) for value in table["training.epochs"]} == {int}
    assert all(layers in ([4], [8, 8], []) for layers in table["model.layers"])
    assert table[LR].nunique() == 14


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
def test_the_number_of_workers_changes_nothing(straight: hothouse.Sweep, tmp_path: Path) -> None:
    on_ray = hothouse.sweep(searched(), workers=2, out=tmp_path / "sweep")
    assert outcome(on_ray) == outcome(straight)
    complete = straight.table[straight.table.status == "complete"].run
    for name in complete:
        pair = [(sweep.runs[name].folder / "model.safetensors").read_bytes() for sweep in (straight, on_ray)]
        assert pair[0] == pair[1]


class Album(Watcher):
    """Copies the sweep's folder after every ninth round."""

    def __init__(self, album: Path) -> None:
        super().__init__()
        self.album, self.ticks = album, 0

    def tick(self) -> None:
        assert self.folder is not None
        self.ticks += 1
        if self.ticks % 9 == 4:
            shutil.copytree(self.folder, self.album / f"{self.ticks:03d}")


@pytest.mark.slow
def test_a_search_killed_anywhere_goes_on_as_if_it_had_not_been(straight: hothouse.Sweep, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    hothouse.sweep(searched(), engine="local", out=tmp_path / "sweep", watcher=Album(tmp_path / "album"))
    photographs = sorted((tmp_path / "album").iterdir())
    assert len(photographs) >= 6
    for photograph in photographs:
        before = finished_files(photograph)
        done = hothouse.sweep(photograph, engine="local")
        assert outcome(done) == outcome(straight)
        assert finished_files(photograph).items() >= before.items()


@pytest.mark.slow
def test_a_prolonged_search_is_a_longer_one(straight: hothouse.Sweep, tmp_path: Path) -> None:
    hothouse.sweep(searched(6), engine="local", out=tmp_path / "sweep")
    done = hothouse.sweep(tmp_path / "sweep", overrides=["search.trials=14"], engine="local")
    assert outcome(done) == outcome(straight)


def test_without_its_study_a_search_repeats_no_finished_run(straight: hothouse.Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(straight.folder, folder)
    (folder / "study.db").unlink()
    before = finished_files(folder)
    assert outcome(hothouse.sweep(folder, engine="local")) == outcome(straight)
    assert finished_files(folder) == before


def test_optuna_reads_the_study(straight: hothouse.Sweep) -> None:
    study = optuna.load_study(study_name="flowers", storage=f"sqlite:///{straight.folder}/study.db")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert [trial.user_attrs["run"] for trial in study.trials] == straight.table.run.tolist()
    states = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    assert [trial.state.name for trial in study.trials] == [states[status] for status in straight.table.status]
    assert straight.best is not None
    assert study.best_trial.user_attrs["run"] == straight.best.folder.name
    assert study.best_value == straight.table[straight.table.status == "complete"].validation_accuracy.max()


def test_trials_are_stopped_by_the_median_rule(straight: hothouse.Sweep) -> None:
    """The rule worked out by hand, over the trials that a trial may know of: all but the last three before it."""
    names = straight.table.run.tolist()
    curves = [straight.runs[name].metrics.set_index("round").validation_accuracy for name in names]
    complete = [status == "complete" for status in straight.table.status]
    stopped = 0
    for number, curve in enumerate(curves):
        earlier = [curves[one] for one in range(max(0, number - 2)) if complete[one]]
        last = 6
        for at in range(2, 6):
            if len(earlier) >= 5 and curve[curve.index <= at].max() < np.median([one[at] for one in earlier]):
                last = at
                break
        assert curve.index[-1] == last
        assert complete[number] == (last == 6)
        stopped += last < 6
    assert stopped >= 1, "there is something to see"


def test_a_stopped_trial_is_a_run_that_can_be_resumed(straight: hothouse.Sweep, tmp_path: Path) -> None:
    name = straight.table.run[straight.table.status == "pruned"].iloc[0]
    folder = tmp_path / "run"
    shutil.copytree(straight.folder / "runs" / name, folder)
    assert hothouse.load(folder).summary["reason"].startswith("stopped after round ")
    assert hothouse.resume(folder, engine="local").summary["status"] == "complete"


@pytest.mark.slow
def test_nothing_is_stopped_where_that_is_not_wished(tmp_path: Path) -> None:
    done = hothouse.sweep(searched(10, prune=False), engine="local", out=tmp_path / "sweep")
    assert set(done.table.status) == {"complete"}


@pytest.mark.slow
def test_importance_is_the_share_of_the_variance(tmp_path: Path) -> None:
    """In a full table of values the share of a key is its part of the sum of squares (analysis of variance)."""
    scenario = flowers(matrix={LR: [1e-5, 0.1, 0.5], COHORT: [1, 6]}, seeds=2, federation={"rounds": 12})
    done = hothouse.sweep(scenario, engine="local", out=tmp_path / "sweep")
    values = done.table.validation_accuracy
    shares = importance(done, "validation_accuracy")
    assert sum(shares.values()) == pytest.approx(1)
    assert (next(iter(shares)), list(shares)[-1]) == (LR, "interaction")
    total = (values - values.mean()).pow(2).sum()
    for key in done.keys:
        between = (values.groupby(done.table[key]).transform("mean") - values.mean()).pow(2).sum()
        assert shares[key] == pytest.approx(between / total, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (lambda a, b: float((a + b) % 2), [0.0, 0.0]),
        (lambda a, b: 3.0 * a + b, [0.9, 0.1]),
        (lambda a, b: 3.0 * a + b + 4.0 * a * b, [25 / 38, 9 / 38]),
    ],
    ids=["exclusive or", "a sum", "a sum and a product"],
)
def test_what_keys_do_together_is_no_share_of_either(values: Any, expected: list[float]) -> None:
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    found = main_effects({"a": a, "b": b}, np.array([values(*pair) for pair in zip(a, b, strict=True)]))
    assert list(found.values()) == pytest.approx(expected, abs=1e-12)


def test_a_run_that_is_missing_gives_its_key_no_share_of_anothers() -> None:
    """Only a matters; without one run of a full table the means by b differ all the same."""
    a, b = np.array([0, 0, 1, 1, 0, 1, 0]), np.array([0, 1, 0, 1, 0, 1, 1])
    found = main_effects({"a": a, "b": b}, 2.0 * a)
    assert found["b"] == pytest.approx(0, abs=1e-12)
    assert found["a"] > 0.9


def test_no_trial_is_stopped_by_fewer_than_five_that_got_so_far() -> None:
    """Trials of other lengths: after round 3 only two of the six can be compared with."""
    short, long = {1: 0.9, 2: 0.9}, {1: 0.9, 2: 0.9, 3: 0.9, 4: 0.9}

    def stopped(curves: list[dict[int, float]]) -> int | None:
        pruner = Pruner(PruningRule("accuracy", "maximize", curves, 3, 4), list)
        for number in (1, 2, 3):
            try:
                pruner.on_round_end({"round": number, "accuracy": 0.1})
            except Pruned:
                return number
        return None

    assert stopped([short] * 4 + [long] * 2) is None
    assert stopped([short] * 4 + [long] * 5) == 3


@pytest.mark.slow
def test_less_of_a_loss_is_better(tmp_path: Path) -> None:
    done = hothouse.sweep(searched(8, metric="validation_loss"), engine="local", out=tmp_path / "sweep")
    assert done.goal is not None
    assert not done.goal.maximize
    assert done.best is not None
    complete = done.table[done.table.status == "complete"]
    assert done.best.metrics.validation_loss.iloc[-1] == complete.validation_loss.min()


@pytest.mark.slow
def test_values_that_do_not_go_together_are_a_failed_trial(tmp_path: Path) -> None:
    space = {"federation.clients_per_round": {"low": 1, "high": 12}, "data.partition.clients": {"low": 2, "high": 12}}
    done = hothouse.sweep(searched(8, space=space, startup=8), engine="local", out=tmp_path / "sweep")
    table = done.table
    too_many = table["federation.clients_per_round"] > table["data.partition.clients"]
    assert 0 < too_many.sum() < 8
    assert (table.status[too_many] == "failed").all()
    assert (table.status[~too_many] != "failed").all()
    assert all("expected at most the" in reason for reason in done.failed.values())


def test_held_out_rows_judge_where_there_are_no_validation_rows(tmp_path: Path) -> None:
    scenario = searched(3)
    scenario["data"] |= {"validation_fraction": 0.0, "client_holdout": 0.3}
    done = hothouse.sweep(scenario, engine="local", out=tmp_path / "sweep")
    assert done.goal is not None
    assert done.goal.metric == "holdout_accuracy"
