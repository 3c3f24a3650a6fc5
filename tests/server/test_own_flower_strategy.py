"""A strategy written for Flower, named by its class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hothouse
from tests.resuming import assert_resumes

SCENARIO: dict[str, Any] = {
    "data": {"source": {"kind": "sklearn", "name": "digits"}, "partition": {"scheme": "dirichlet", "clients": 8}},
    "model": {"dtype": "float64"},
    "federation": {"rounds": 4, "clients_per_round": 5},
}
MINE = '''
from flwr.serverapp.strategy import FedAvg, FedAvgM


class Momentum(FedAvgM):
    """Flower's own, under another name."""


class Sampling(FedAvg):
    def configure_train(self, *given):
        return super().configure_train(*given)


class Evaluating(FedAvg):
    def aggregate_evaluate(self, *given):
        return None


def not_a_class():
    pass
'''
STATE = {"class": "mine:Momentum", "options": {"server_momentum": 0.7}, "state": ["momentum_vector"]}


@pytest.fixture(autouse=True)
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)


def scenario(**strategy: Any) -> dict[str, Any]:
    chosen = {"name": "flower", **strategy}
    return {**SCENARIO, "uses": ["mine.py"], "federation": {**SCENARIO["federation"], "strategy": chosen}}


def weights(run: hothouse.Run) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in run.model.network.state_dict().values()]


def test_it_is_the_built_in_one_of_the_same_rule() -> None:
    own = hothouse.run(scenario(**STATE), engine="local", out="own")
    there = {"name": "fedavgm", "server_momentum": 0.7}
    federation = {**SCENARIO["federation"], "strategy": there}
    built_in = hothouse.run({**SCENARIO, "federation": federation}, engine="local", out="built-in")
    for one, other in zip(weights(own), weights(built_in), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_with_its_state_named_it_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    assert_resumes(scenario(**STATE), tmp_path, killed_after=[2])


def test_an_installed_class_is_named_by_its_module() -> None:
    chosen = scenario(**{**STATE, "class": "flwr.serverapp.strategy:FedAvgM"})
    own = hothouse.run({**chosen, "uses": []}, engine="local", out="own")
    same = hothouse.run(scenario(**STATE), engine="local", out="same")
    assert all(np.array_equal(*pair) for pair in zip(weights(own), weights(same), strict=True))


def test_without_a_state_it_runs_and_says_that_it_writes_no_checkpoint() -> None:
    kept = hothouse.run(scenario(**{**STATE, "state": None}), engine="local", out="kept")
    named = hothouse.run(scenario(**STATE), engine="local", out="named")
    assert all(np.array_equal(*pair) for pair in zip(weights(kept), weights(named), strict=True))
    assert [event["reason"] for event in kept.events if event["event"] == "no checkpoints"] == [
        "flower does not declare its state: the run cannot be resumed"
    ]
    assert not list((kept.folder / "checkpoints").glob("*"))


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"class": "mine:Sampling"}, r"strategy\.class: Sampling overrides configure_train, which has no effect here"),
        ({"class": "mine:Evaluating"}, r"Evaluating overrides aggregate_evaluate, .*: metrics are pooled"),
        (
            {"class": "mine:not_a_class"},
            r"mine:not_a_class: expected a subclass of flwr\.serverapp",
        ),
        (
            {"class": "gone:Mine"},
            r"gone: No module named 'gone'; a file is named in uses, as gone\.py",
        ),
        ({"class": "Mine"}, r"strategy\.class: "),
        ({**STATE, "options": {"rate": 1}}, r"strategy\.options: Momentum: .* unexpected keyword argument 'rate'"),
        ({**STATE, "state": ["velocity"]}, r"strategy\.state: Momentum has no attribute velocity"),
    ],
    ids=lambda one: one.get("class", "") if isinstance(one, dict) else "",
)
def test_what_it_cannot_be_is_refused(strategy: dict[str, Any], message: str) -> None:
    with pytest.raises(hothouse.InputError, match=message):
        hothouse.run(scenario(**strategy), engine="local", out="run")
