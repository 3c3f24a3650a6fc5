"""What is allowed and rarely wise is told with its reason, by validate and as a run begins; it is never forced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hothouse
from hothouse.inspect.check import check
from tests.command import command

IRIS = {"source": {"kind": "sklearn", "name": "iris"}, "partition": {"scheme": "iid", "clients": 5}}
DIABETES = {"source": {"kind": "sklearn", "name": "diabetes"}}

ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "a regression with shares": (
        {"data": DIABETES, "model": {"output": "softmax"}},
        "model.output: softmax only reaches numbers between 0 and 1",
    ),
    "classes as numbers": ({"model": {"output": "linear"}}, "model.output: linear fits numbers to the classes"),
    "zeros": ({"model": {"initialization": "zeros"}}, "model.initialization: zeros with hidden layers"),
    "He for tanh": (
        {"model": {"initialization": "he_normal", "activation": "tanh"}},
        "xavier_normal keeps the spread of its signals",
    ),
    "Xavier for ReLU": ({"model": {"initialization": "xavier_uniform"}}, "he_uniform makes up for it"),
    "batches of one": (
        {"model": {"normalization": "batch"}, "training": {"batch_size": 1}},
        "training.batch_size: 1 with batch normalization",
    ),
    "tiny shards": (
        {"data": {**IRIS, "partition": {"scheme": "iid", "clients": 60}}, "model": {"normalization": "batch"}},
        "60 of 60 clients have fewer than 4 examples to train on",
    ),
    "deep sigmoids": ({"model": {"activation": "sigmoid", "layers": [8, 8, 8]}}, "its slope is at most ¼"),
    "nothing local": (
        {
            "data": {**IRIS, "client_holdout": 0.2},
            "federation": {"strategy": "fedbn"},
        },
        "fedbn without batch normalization keeps nothing local",
    ),
    "nothing to measure own models on": (
        {"federation": {"strategy": "ditto"}},
        "data.client_holdout: 0 with ditto",
    ),
    "sums under a robust strategy": (
        {"federation": {"strategy": "fedmedian"}},
        "federation.strategy: fedmedian does not protect what clients agree on before round 1: the columns' means",
    ),
    "nothing held out": (
        {"data": {**IRIS, "client_holdout": 0.01}},
        "data.client_holdout: 0.01 of at most 30 examples rounds to zero at every client",
    ),
    "rows of no client": (
        {"data": {**IRIS, "partition": {"scheme": "size", "sizes": [50, 60]}}},
        "data.partition: 40 of 150 training examples go to no client: the sizes you give add up to fewer",
    ),
    "nothing to keep": (
        {"training": {"optimizer_state": "client"}},
        "training.optimizer_state: client has no effect",
    ),
}

FINE: list[dict[str, Any]] = [
    {},
    {"data": DIABETES},
    {"model": {"output": "sigmoid"}},
    {"model": {"initialization": "zeros", "layers": []}},
    {"model": {"initialization": "he_uniform"}},
    {"model": {"initialization": "xavier_normal", "activation": "tanh"}},
    {"model": {"normalization": "batch"}},
    {"model": {"normalization": "layer"}, "training": {"batch_size": 1}},
    {"model": {"activation": "sigmoid", "layers": [8, 8]}},
    {"training": {"optimizer_state": "client", "optimizer": "adam"}},
]


@pytest.mark.parametrize("name", ADVICE)
def test_what_is_rarely_wise_is_told_with_its_reason(name: str) -> None:
    parts, expected = ADVICE[name]
    (told,) = check({"data": IRIS, **parts}).hints
    assert expected in told


@pytest.mark.parametrize("parts", FINE, ids=str)
def test_what_is_wise_needs_no_advice(parts: dict[str, Any]) -> None:
    assert check({"data": IRIS, **parts}).hints == []


@pytest.fixture
def gaps(tmp_path: Path) -> Path:
    """A scenario on a table with missing values."""
    rows = "".join(f"{n},{n % 3 if n % 4 else ''},{'uv'[n % 2]}\n" for n in range(40))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    path = tmp_path / "gaps.yaml"
    path.write_text("data: {source: {kind: csv, path: t.csv, target: y}}\nfederation: {rounds: 1}\n")
    return path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("seed=1", ["tanh bounds it"]),
        ("model.activation=tanh", []),
        ("model.layers=[]", []),
    ],
)
def test_missing_values_go_better_with_tanh(gaps: Path, change: str, expected: list[str]) -> None:
    told = check(gaps, [change]).hints
    assert [word in hint for hint, word in zip(told, expected, strict=True)] == [True] * len(expected)


def test_validate_and_run_tell_it(gaps: Path, tmp_path: Path) -> None:
    validated = command("validate", gaps)
    hint = next(line for line in validated.stdout.splitlines() if line.startswith("hint: "))
    assert "model.activation: relu with missing values" in hint
    run = command("run", gaps, "--engine", "local", "--out", tmp_path / "run")
    assert run.stdout.splitlines().count(hint) == 1


def test_a_run_goes_on_as_it_was_told(tmp_path: Path) -> None:
    scenario = {"data": IRIS, "model": {"initialization": "zeros", "layers": [4]}, "federation": {"rounds": 1}}
    run = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    assert not run.model.network.layers[0].weight.any(), "zeros were asked for, zeros it is"
