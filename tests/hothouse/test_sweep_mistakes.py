"""Every mistake in a sweep is told with its file, line and key before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import hothouse
from common.errors import InputError

BASE = """data:
  source: {kind: sklearn, name: iris}
  partition: {scheme: iid, clients: 5}
  validation_fraction: 0.2
"""

MISTAKES = {
    "no sweep": ("", "FILE: expected matrix:, seeds: or search:; `hothouse run` runs a single scenario"),
    "unknown key": (
        "matrix:\n  training.optimizer.rate: [0.1]",
        "FILE:6: matrix: training.optimizer.rate: unknown key; known here: name, lr, momentum, nesterov",
    ),
    "key nearly right": (
        "matrix:\n  training.optimiser.lr: [0.1]",
        "FILE:6: matrix: training.optimiser: unknown key; did you mean optimizer?",
    ),
    "one value of several": (
        "matrix:\n  training.optimizer.lr:\n    - 0.1\n    - -1",
        "FILE:8: matrix: training.optimizer.lr: expected a number greater than 0, got -1",
    ),
    "wrong type": (
        "matrix: {training.epochs: [1, two]}",
        "FILE:5: matrix: training.epochs: expected a whole number, got 'two'",
    ),
    "below a value": (
        "matrix:\n  training.optimizer: [sgd, {name: sgd, lr: -2}]",
        "FILE:6: matrix: training.optimizer.lr: expected a number greater than 0, got -2",
    ),
    "name nearly right": ("matrix: {federation.strategy: [fedavgg]}", "got 'fedavgg'; did you mean fedavg?"),
    "no list": ("matrix: {training.epochs: 3}", "FILE:5: matrix.training.epochs: expected a list, got 3"),
    "nothing to choose from": ("matrix: {training.epochs: []}", "FILE:5: matrix.training.epochs: expected at least 1"),
    "an empty matrix": ("matrix: {}", "FILE:5: matrix: expected at least 1"),
    "a value twice": (
        "matrix:\n  training.epochs: [1, 2, 1]",
        "FILE:6: matrix.training.epochs: expected every value once, 1 is given twice",
    ),
    "the same run twice": (
        "matrix: {training.optimizer: [sgd, {name: sgd}]}",
        "FILE:5: matrix: optimizer=sgd~",
    ),
    "seed in a matrix": ("matrix: {seed: [1, 2]}", "FILE:5: matrix.seed: expected seeds: in place of it"),
    "key that no run has": ("matrix: {tracking: [[csv]]}", "matrix.tracking: expected a key of a run, which tracking"),
    "across keys": (
        "matrix:\n  data.partition.clients: [5, 9]\n  federation.clients_per_round: [3, 8]",
        "FILE:7: matrix: federation.clients_per_round: expected at most the 5 clients of data.partition.clients "
        "(or 1.0 for all), in the run with data.partition.clients=5, federation.clients_per_round=8",
    ),
    "below a value that is no part": (
        "matrix: {data.partition.clients.x: [1]}",
        "FILE:5: matrix: data.partition.clients holds a value, not further keys",
    ),
    "too many": (
        f"matrix: {{training.epochs: {list(range(1, 102))}, training.batch_size: {list(range(1, 102))}}}",
        "FILE:5: matrix: 10,201 runs; a sweep has at most 10,000",
    ),
    "what the data does not allow": (
        "matrix:\n  data.partition.clients: [5, 500]",
        "FILE:6: matrix: data.partition.clients: 500 clients, but only 120 examples to train on",
    ),
    "no such file": (
        "matrix:\n  data.source:\n  - {kind: npz, path: rows.npz}",
        "FILE:7: matrix: data.source.path: no file HERE/rows.npz",
    ),
    "no seeds": ("seeds: 0", "FILE:5: seeds: expected a number of seeds, at least 1, or a list of seeds, got 0"),
    "a seed twice": ("seeds: [1, 1]", "FILE:5: seeds: expected every seed once"),
    "a negative seed": ("seeds: [-1]", "FILE:5: seeds: expected a number of seeds"),
    "search and matrix": (
        "matrix: {training.epochs: [1]}\nsearch: {space: {training.epochs: {low: 1, high: 2}}}",
        "FILE:5: matrix: expected either search or matrix, not both",
    ),
    "search without a space": ("search: {trials: 3}", "FILE:5: search.space: this key is required"),
    "test examples": (
        "search: {metric: test_accuracy, space: {training.epochs: {low: 1, high: 2}}}",
        "FILE:5: search.metric: expected a metric of validation or held-out examples, such as validation_accuracy, "
        "not test_accuracy: nothing is selected on test examples",
    ),
    "held-out examples that are not there": (
        "search: {metric: holdout_accuracy, space: {training.epochs: {low: 1, high: 2}}}",
        "FILE:5: search.metric: expected data.client_holdout above 0 for holdout_accuracy",
    ),
    "metric of another task": (
        "search:\n  metric: validation_rmse\n  space: {training.epochs: {low: 1, high: 2}}",
        "FILE:6: search.metric: expected one of validation_accuracy, validation_balanced_accuracy, validation_loss, "
        "validation_macro_f1, got 'validation_rmse'; did you mean validation_loss?",
    ),
    "range upside down": (
        "search:\n  space:\n    training.epochs: {low: 3, high: 2}",
        "FILE:7: search.space.training.epochs.high: expected more than low, which is 3",
    ),
    "range without an end": (
        "search:\n  space:\n    training.epochs: {low: 3}",
        "FILE:7: search.space.training.epochs.high: expected low and high, or choices",
    ),
    "logarithm of nothing": (
        "search:\n  space:\n    training.optimizer.momentum: {low: 0, high: 0.9, log: true}",
        "FILE:7: search.space.training.optimizer.momentum.low: expected a number above 0 on a logarithmic scale",
    ),
    "step and logarithm": (
        "search:\n  space:\n    training.epochs: {low: 1, high: 9, log: true, step: 2}",
        "search.space.training.epochs.step: expected no step on a logarithmic scale",
    ),
    "choices and range": (
        "search:\n  space:\n    training.epochs: {low: 1, high: 9, choices: [1]}",
        "search.space.training.epochs.choices: expected either choices or low and high, not both",
    ),
    "unknown option of a range": (
        "search:\n  space:\n    training.epochs: {low: 1, hihg: 9}",
        "FILE:7: search.space.training.epochs.hihg: unknown key; did you mean high?",
    ),
    "end out of the key's range": (
        "search:\n  space:\n    training.optimizer.momentum:\n      low: 0\n      high: 1",
        "FILE:9: search: training.optimizer.momentum: expected a number below 1, got 1",
    ),
    "choice out of the key's range": (
        "search:\n  space:\n    training.loss:\n      choices:\n      - mse\n      - msse",
        "FILE:10: search: training.loss: expected one of auto, cross_entropy, binary_cross_entropy, mse, half_mse, "
        "huber, got 'msse'; did you mean mse?",
    ),
    "unknown key in a space": (
        "search:\n  space:\n    training.epoch: {low: 1, high: 2}",
        "FILE:7: search: training.epoch: unknown key; did you mean epochs?",
    ),
    "more clients than there are": (
        "search:\n  space:\n    federation.clients_per_round: {low: 1, high: 9}",
        "FILE:7: search: federation.clients_per_round: expected at most the 5 clients of data.partition.clients",
    ),
    "text for a number in a range": (
        "search:\n  space:\n    training.epochs: {low: one, high: 2}",
        "FILE:7: search.space.training.epochs.low: expected a number, got 'one'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_before_anything_runs(name: str, tmp_path: Path) -> None:
    text, expected = MISTAKES[name]
    path = tmp_path / "s.yaml"
    path.write_text(BASE + text)
    with pytest.raises(InputError) as caught:
        hothouse.sweep(path, engine="local", out=tmp_path / "sweep")
    said = str(caught.value).replace(str(path) + ":", "FILE:").replace(str(tmp_path), "HERE")
    assert expected in said
    assert not (tmp_path / "sweep").exists()


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + "matrix:\n  training.epochs: [0, 1]\n  model.activation: [rellu]\n  model.dtype: [float16]")
    with pytest.raises(InputError) as caught:
        hothouse.sweep(path, engine="local", out=tmp_path / "sweep")
    assert {line.split(" expected")[0].partition(":")[2] for line in str(caught.value).splitlines()} == {
        "6: matrix: training.epochs:",
        "7: matrix: model.activation:",
        "8: matrix: model.dtype:",
    }


def test_a_search_needs_rows_to_judge_by(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("data: {source: {kind: sklearn}}\nsearch: {space: {training.epochs: {low: 1, high: 2}}}")
    with pytest.raises(
        InputError, match=r"s\.yaml:2: search: expected examples to judge by: data\.validation_fraction or"
    ):
        hothouse.sweep(path, engine="local", out=tmp_path / "sweep")


def test_a_mistake_in_an_override_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE)
    for option, told in (
        ("matrix.training.epochs=[0]", "matrix: training.epochs: expected a number of at least 1"),
        ("search.space.training.epochs={low: 3}", "search.space.training.epochs.high: expected low and high"),
        ("seeds=-1", "seeds: expected a number of seeds"),
    ):
        with pytest.raises(InputError) as caught:
            hothouse.sweep(path, overrides=[option], engine="local", out=tmp_path / "sweep")
        assert str(caught.value).startswith(f"--set {option}: {told}")


@pytest.mark.parametrize("key", ["matrix: {training.epochs: [1]}", "seeds: 3"])
def test_a_sweep_is_not_run_as_a_single_run(key: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + key)
    name = key.partition(":")[0]
    with pytest.raises(InputError) as caught:
        hothouse.run(path, engine="local", out=tmp_path / "run")
    assert str(caught.value) == f"{path}:5: {name}: this scenario is a sweep of many runs; use `hothouse sweep`"
    assert not (tmp_path / "run").exists()


def test_more_runs_at_once_than_workers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + "seeds: 3")
    with pytest.raises(InputError, match="3 runs at once need as many workers, and there are 2; see --workers"):
        hothouse.sweep(path, workers=2, at_once=3, out=tmp_path / "sweep")
