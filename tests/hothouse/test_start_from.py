"""A scenario that starts from an earlier model: what the model knows is matched by name, never by position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hothouse

ROWS = 300


def table(
    path: Path, columns: str = "abc", labels: tuple[str, str] = ("cat", "dog"), seed: int = 1, kinds: str = "xy"
) -> None:
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=ROWS) for name in "abc"}
    kind = rng.choice(list(kinds), ROWS)
    codes = (values["a"] - values["b"] + 2 * (kind == "x") > 1).astype(int)
    rows = "".join(
        ",".join(f"{values[name][n]:.4f}" for name in columns) + f",{kind[n]},{labels[codes[n]]}\n" for n in range(ROWS)
    )
    path.write_text(",".join(columns) + ",kind,y\n" + rows)


def run(folder: Path, name: str, rounds: int = 8, **model: Any) -> hothouse.Run:
    scenario = {
        "name": name,
        "data": {
            "source": {"kind": "csv", "path": str(folder / f"{name}.csv"), "target": "y"},
            "test_fraction": 0.5,
            "partition": {"scheme": "iid", "clients": 4},
        },
        "model": {"layers": [8]} | model,
        "training": {"epochs": 5, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.2}},
        "federation": {"rounds": rounds},
    }
    return hothouse.run(scenario, engine="local", out=folder / name)


@pytest.fixture
def first(tmp_path: Path) -> hothouse.Run:
    table(tmp_path / "one.csv")
    return run(tmp_path, "one")


def accuracy_at_start(run: hothouse.Run) -> float:
    return float(run.metrics.test_accuracy[0])


def told(run: hothouse.Run) -> list[str]:
    return [event["reason"] for event in run.events if event["event"] == "partly new"]


def test_columns_may_stand_in_another_order(first: hothouse.Run, tmp_path: Path) -> None:
    table(tmp_path / "same.csv", "abc", seed=2)
    table(tmp_path / "other.csv", "cba", seed=2)
    same, other = (run(tmp_path, name, rounds=1, **{"from": str(first.folder)}) for name in ("same", "other"))
    assert accuracy_at_start(same) > 0.9
    assert accuracy_at_start(other) == accuracy_at_start(same)
    assert told(same) == told(other) == []


def test_a_label_keeps_its_output_and_a_new_one_starts_anew(first: hothouse.Run, tmp_path: Path) -> None:
    table(tmp_path / "new.csv", labels=("emu", "dog"), seed=3)
    again = run(tmp_path, "new", rounds=1, **{"from": str(first.folder)})
    assert told(again) == ["1 of 2 classes are new to the model, such as 'emu': they start anew"]
    earlier, now = first.model.data_spec.labels, again.model.data_spec.labels
    table(tmp_path / "swapped.csv", labels=("zebra", "cat"), seed=3)
    swapped = run(tmp_path, "swapped", rounds=1, **{"from": str(first.folder)})
    assert (earlier, now, swapped.model.data_spec.labels) == (("cat", "dog"), ("dog", "emu"), ("cat", "zebra"))


def test_a_category_keeps_its_input_and_a_new_one_starts_anew(first: hothouse.Run, tmp_path: Path) -> None:
    table(tmp_path / "new.csv", kinds="wx", seed=4)
    again = run(tmp_path, "new", rounds=1, **{"from": str(first.folder)})
    assert told(again) == ["1 of 5 inputs are new to the model, such as 'w': they start anew"]


def test_other_columns_are_refused(first: hothouse.Run, tmp_path: Path) -> None:
    table(tmp_path / "fewer.csv", "ab")
    with pytest.raises(hothouse.InputError, match=r"other inputs; 1 are in one of the two only, such as number c"):
        run(tmp_path, "fewer", **{"from": str(first.folder)})


def test_two_classes_behind_one_output_must_be_the_same(tmp_path: Path) -> None:
    table(tmp_path / "one.csv")
    first = run(tmp_path, "one", rounds=1, output="sigmoid")
    table(tmp_path / "other.csv", labels=("dog", "cat"))
    assert accuracy_at_start(run(tmp_path, "other", rounds=1, output="sigmoid", **{"from": str(first.folder)})) < 0.5
    table(tmp_path / "new.csv", labels=("emu", "dog"))
    with pytest.raises(hothouse.InputError, match="was trained on other classes"):
        run(tmp_path, "new", rounds=1, output="sigmoid", **{"from": str(first.folder)})
