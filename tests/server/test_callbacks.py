"""A callback ends a run where its metric says so, and a resumed run ends at the same round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hothouse
from common.callbacks.stopping import StopAtTarget, StopWithoutImprovement
from common.errors import InputError
from tests.resuming import assert_resumes

SCENARIO: dict[str, Any] = {
    "data": {
        "source": {"kind": "sklearn", "name": "digits"},
        "partition": {"scheme": "iid", "clients": 8},
        "validation_fraction": 0.2,
    },
    "training": {"optimizer": {"name": "sgd", "lr": 0.3}},
    "federation": {"rounds": 12, "clients_per_round": 4},
    "evaluation": {"every": 2},
    "checkpoints": {"every": 5},
}
STOPPING = {"callbacks": [{"name": "target", "metric": "validation_accuracy", "value": 0.8}]}


def lines(metric: str, values: list[float]) -> list[dict[str, Any]]:
    return [{"round": number, metric: value} for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("options", "values", "stops_after"),
    [
        ({"patience": 2}, [5.0, 4.0, 4.5, 3.0, 3.5, 3.0, 2.0], 5),
        ({"patience": 3}, [5.0, 4.0, 4.5, 3.0, 3.5, 3.0, 2.0], None),
        ({"patience": 2, "min_change": 0.5}, [5.0, 4.8, 4.7, 1.0], 2),
        ({"patience": 2, "metric": "validation_accuracy"}, [0.1, 0.5, 0.4, 0.3], 3),
        ({"patience": 2}, [5.0, float("nan"), float("nan"), 1.0], 2),
    ],
)
def test_early_stopping(options: dict[str, Any], values: list[float], stops_after: int | None) -> None:
    rule = StopWithoutImprovement(**options)
    history = lines(rule.metric, values)
    stops = [number for number in range(len(values)) if rule.on_round_end(history[: number + 1])]
    assert next(iter(stops), None) == stops_after


def test_a_target() -> None:
    loss, accuracy = StopAtTarget(metric="test_loss", value=0.5), StopAtTarget(metric="test_accuracy", value=0.9)
    assert [bool(loss.on_round_end(lines("test_loss", [value]))) for value in (0.6, 0.5, 0.4)] == [False, True, True]
    assert accuracy.on_round_end(lines("test_accuracy", [0.5, 0.91])) == "test_accuracy reached 0.9"


def test_a_run_ends_at_an_evaluated_round_and_is_complete(tmp_path: Path) -> None:
    whole = hothouse.run(SCENARIO, engine="local", out=tmp_path / "whole")
    reached = whole.metrics.validation_accuracy >= 0.8
    first = int(whole.metrics["round"][reached].iloc[0])
    assert 0 < first < 12, "else this tries nothing"
    done = hothouse.run(SCENARIO | STOPPING, engine="local", out=tmp_path / "stopped")
    assert (done.summary["status"], done.summary["rounds"]) == ("complete", first)
    assert done.summary["stopped"] == "target: validation_accuracy reached 0.8"
    assert (
        done.metrics.validation_accuracy.dropna().tolist()
        == whole.metrics.validation_accuracy.dropna().tolist()[: first // 2 + 1]
    )
    assert "validation_accuracy reached 0.8" in (done.folder / "report.html").read_text()
    assert (done.folder / "checkpoints" / f"round-{first:06d}.safetensors").exists()
    with pytest.raises(InputError, match=f"it stopped after {first} rounds"):
        hothouse.resume(done, rounds=20, engine="local")


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    assert_resumes(SCENARIO | STOPPING, tmp_path)


def test_what_it_cannot_see_is_told_before_anything_trains(tmp_path: Path) -> None:
    wanted = SCENARIO | {"callbacks": [{"name": "target", "metric": "test_accuracy", "value": 0.9}]}
    with pytest.raises(InputError, match=r"test_accuracy is not measured in this run; .*validation_loss"):
        hothouse.run(wanted, engine="local", out=tmp_path / "run")
    assert hothouse.load(tmp_path / "run").summary["rounds"] == 0
    with pytest.raises(InputError, match=r"callbacks.0.metric"):
        hothouse.run(SCENARIO | {"callbacks": [{"name": "early_stopping", "metric": "test_loss"}]}, engine="local")
