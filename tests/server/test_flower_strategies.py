"""Flower's own strategies, reached through blocks and rows, do what Flower's strategies do client by client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp import strategy as flwr
from torch import nn

from common.arrays import NamedArrays, pack
from common.compat.flower import TaskIdentity
from common.data import Prepared
from common.extend.results import BlockResult
from common.extend.strategy import RoundStart, StrategyContext
from common.methods.fedtrimmedavg.server import trimmed_mean
from common.methods.flower.server import ALONE, FlowerStrategy
from common.scenario import Scenario
from common.scenario.registry import implementation
from common.scenario.strategy import STRATEGIES
from common.selection.rules import select
from server.exchange.blocks import cut
from tests import plain
from tests.federations import FEATURES, federation, named, ran, scenario, starting_weights, trained_alone
from tests.resuming import assert_resumes

SIZES = [23, 5, 40, 11, 16, 17, 33, 2]

FLOWERS: dict[str, tuple[str, flwr.Strategy]] = {
    "fedavg": ("fedavg", flwr.FedAvg(**ALONE)),
    "fedavgm": (
        "{name: fedavgm, server_learning_rate: 0.7, server_momentum: 0.6}",
        flwr.FedAvgM(server_learning_rate=0.7, server_momentum=0.6, **ALONE),
    ),
    "fedadagrad": ("{name: fedadagrad, eta: 0.05, tau: 0.01}", flwr.FedAdagrad(eta=0.05, tau=0.01, **ALONE)),
    "fedadam": (
        "{name: fedadam, eta: 0.02, beta_1: 0.8, beta_2: 0.95, tau: 0.01}",
        flwr.FedAdam(eta=0.02, beta_1=0.8, beta_2=0.95, tau=0.01, **ALONE),
    ),
    "fedyogi": (
        "{name: fedyogi, eta: 0.02, beta_1: 0.8, beta_2: 0.95, tau: 0.01}",
        flwr.FedYogi(eta=0.02, beta_1=0.8, beta_2=0.95, tau=0.01, **ALONE),
    ),
    "qfedavg": ("{name: qfedavg, q: 0.5}", flwr.QFedAvg(client_learning_rate=0.1, q=0.5, **ALONE)),
    "fedmedian": ("fedmedian", flwr.FedMedian(**ALONE)),
    "fedtrimmedavg": ("{name: fedtrimmedavg, beta: 0.3}", flwr.FedTrimmedAvg(beta=0.3, **ALONE)),
    "krum": ("{name: krum, malicious_clients: 2}", flwr.Krum(num_malicious_nodes=2, **ALONE)),
    "multikrum": (
        "{name: multikrum, malicious_clients: 2, selected_clients: 4}",
        flwr.MultiKrum(num_malicious_nodes=2, num_nodes_to_select=4, **ALONE),
    ),
    "bulyan": ("{name: bulyan, malicious_clients: 1}", flwr.Bulyan(num_malicious_nodes=1, **ALONE)),
}
"""Each name with some options, and Flower's strategy with the same ones."""
WRAPPED = [name for name in FLOWERS if name != "fedtrimmedavg"]
"""Those that are Flower's own code behind ours."""
ROBUST = [name for name, part in STRATEGIES.parts.items() if getattr(part, "robust", False)]


@pytest.fixture(autouse=True)
def _no_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower collects garbage each time it takes a reply apart: half a second with all that tests have loaded."""
    monkeypatch.setattr("gc.collect", lambda: 0)


@pytest.fixture(autouse=True)
def _within_a_run() -> None:
    """Messages are made as in a run, whatever ran before in this process."""
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1


class OneNode:
    """All that Flower's strategies ask of a grid to configure a round."""

    def get_node_ids(self) -> list[int]:
        return [0]


def chosen(strategy: str, normalization: str = "none", **federation: Any) -> Scenario:
    """Three rounds of seven of eight clients in double precision."""
    import yaml

    return scenario(
        seed=5,
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
        model={"layers": [7], "dtype": "float64", "normalization": normalization},
        training={"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.5}},
        federation={
            "rounds": 3,
            "clients_per_round": 7,
            "blocks": 3,
            "strategy": yaml.safe_load(strategy),
            **federation,
        },
    )


def loss_of(settings: Scenario, prepared: Prepared, client: int, weights: NamedArrays) -> float:
    """A client's mean loss on its training examples, by PyTorch."""
    network = plain.Plain(settings.model, FEATURES, 3)
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    rows = prepared.training_examples(client)
    with torch.no_grad():
        outputs = network(torch.tensor(prepared.x[rows]))
        return float(nn.functional.cross_entropy(outputs, torch.tensor(prepared.y[rows])))


def client_by_client(settings: Scenario, prepared: Prepared, strategy: flwr.Strategy) -> NamedArrays:
    """The rounds of a scenario with Flower's strategy and one reply for each client trained alone."""
    weights = named(starting_weights(settings, prepared))
    for number in (1, 2, 3):
        (asked,) = strategy.configure_train(number, pack(weights), ConfigRecord(), cast(Grid, OneNode()))
        replies = []
        for client in select(5, number, 8, 7).tolist():
            trained, _ = trained_alone(settings, prepared, client, weights, number)
            loss = loss_of(settings, prepared, client, weights)
            metrics = MetricRecord({"num-examples": SIZES[client], "train_loss": loss})
            arrays = ArrayRecord({name: Array(array) for name, array in trained.items()})
            replies.append(Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=asked))
        aggregated, _ = strategy.aggregate_train(number, replies)
        assert aggregated is not None
        weights = {name: array.numpy() for name, array in aggregated.items()}
    return weights


@pytest.mark.parametrize("name", FLOWERS)
def test_rounds_equal_flowers_strategy_fed_client_by_client(tmp_path: Path, name: str) -> None:
    prepared, (options, strategy) = federation(tmp_path, SIZES), FLOWERS[name]
    settings = chosen(options)
    ours = named(ran(settings, prepared).model.network)
    for key, expected in client_by_client(settings, prepared, strategy).items():
        assert np.abs(ours[key] - expected).max() <= 1e-12, key


@pytest.mark.parametrize("name", [name for name in FLOWERS if name in ROBUST])
def test_a_robust_strategy_aggregates_running_statistics_as_a_part_of_the_weights(tmp_path: Path, name: str) -> None:
    prepared, (options, strategy) = federation(tmp_path, SIZES), FLOWERS[name]
    settings = chosen(options, "batch")
    ours, expected = named(ran(settings, prepared).model.network), client_by_client(settings, prepared, strategy)
    assert {"norms.0.running_mean", "norms.0.running_var"} < expected.keys() == ours.keys()
    for key, array in expected.items():
        assert np.abs(ours[key] - array).max() <= 1e-12, key


IDENTITIES = {
    "fedavgm with rate 1 and no momentum": "{name: fedavgm, server_learning_rate: 1.0, server_momentum: 0.0}",
    "a trimmed mean that trims nothing": "{name: fedtrimmedavg, beta: 0.0}",
    "multi-krum that selects everybody": "{name: multikrum, selected_clients: 7}",
    "q-fedavg with q = 0": "{name: qfedavg, q: 0.0}",
    "bulyan without malicious clients": "{name: bulyan, malicious_clients: 0}",
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_with_equal_sizes_it_is_fedavg(tmp_path: Path, name: str) -> None:
    prepared = federation(tmp_path, [16] * 8)
    expected = named(ran(chosen("fedavg"), prepared).model.network)
    for key, array in named(ran(chosen(IDENTITIES[name]), prepared).model.network).items():
        assert np.abs(array - expected[key]).max() <= 1e-12, key


def made(name: str) -> tuple[FlowerStrategy, list[BlockResult]]:
    """A strategy by itself, and the results of two blocks for it."""
    settings = chosen(FLOWERS[name][0])
    clients, rng = np.arange(7), np.random.default_rng(1)
    blocks = cut(clients, np.full(7, 4), 2)
    unused: Any = None
    context = StrategyContext(settings, clients, np.full(7, 4), unused, unused, unused)
    strategy = implementation(settings.federation.strategy, "server")(settings.federation.strategy, context)
    assert isinstance(strategy, FlowerStrategy)
    results = []
    for block in blocks:
        rows = {"w": rng.normal(size=(len(block.clients), 2, 3))}
        metrics = {"examples": np.full(len(block.clients), 4.0), "train_loss": np.ones(len(block.clients))}
        sums = {"parameters": {"w": rows["w"].sum(axis=0) * 4}}
        results.append(BlockResult(block, 4.0 * len(block.clients), sums, {"parameters": rows}, metrics, {}))
    return strategy, results


def round_of(strategy: FlowerStrategy, results: list[BlockResult], number: int) -> NamedArrays:
    start = RoundStart(number, {"w": np.full((2, 3), 1.0 / number)}, {}, np.arange(7), np.ones(7))
    return strategy.aggregate(start, results).parameters


@pytest.mark.parametrize("name", WRAPPED)
def test_a_round_changes_nothing_but_what_is_carried(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy, results = made(name)
    make, theirs = strategy.make, strategy.make(strategy.options)
    before = {key: repr(value) for key, value in vars(make(strategy.options)).items()}
    monkeypatch.setattr(type(strategy), "make", lambda self, options: theirs)
    round_of(strategy, results, 1)
    changed = {key for key, value in vars(theirs).items() if repr(value) != before.get(key)}
    # The weights that a round starts from are given anew to each.
    assert changed - {"current_arrays"} == set(strategy.carried)


@pytest.mark.parametrize("name", WRAPPED)
def test_the_declared_state_is_all_that_a_later_round_needs(name: str) -> None:
    strategy, results = made(name)
    round_of(strategy, results, 1)
    other, _ = made(name)
    other.state = dict(strategy.state)
    one, two = round_of(strategy, results, 2), round_of(other, results, 2)
    assert np.array_equal(one["w"], two["w"])
    assert strategy.state.keys() == other.state.keys()


def test_a_robust_strategy_with_too_few_answers_stops() -> None:
    from common.errors import RunError

    strategy, results = made("krum")
    few = replace(results[0], metrics=results[0].metrics | {"examples": np.array([4.0, 4, 0, 0])})
    with pytest.raises(RunError, match=r"round 1: 5 clients sent a usable reply, krum needs 7: n ≥ 2f \+ 3"):
        round_of(strategy, [few, results[1]], 1)


def test_a_client_that_was_caught_lying_is_one_of_those_that_krum_bears() -> None:
    strategy, results = made("krum")
    few = replace(results[0], metrics=results[0].metrics | {"examples": np.array([0.0, 4, 4, 4])}, refused={0: "a lie"})
    found = round_of(strategy, [few, results[1]], 1)
    rows = np.concatenate([few.rows["parameters"]["w"][1:], results[1].rows["parameters"]["w"]]).reshape(6, -1)
    squares = np.sort(((rows[:, None] - rows[None]) ** 2).sum(axis=2), axis=1)
    # n = 6 and f = 1 are left: the nearest n − f − 2 = 3, without the client itself.
    assert np.allclose(found["w"].ravel(), rows[squares[:, 1:4].sum(axis=1).argmin()])


def test_a_trimmed_mean_leaves_out_the_share_that_was_written() -> None:
    values = np.random.default_rng(0).normal(size=(100, 3)) ** 3
    expected = np.sort(values, axis=0)[29:71].mean(axis=0)
    assert np.allclose(trimmed_mean(values, 0.29), expected, rtol=1e-14)
    with pytest.raises(ValueError, match="has none"):
        trimmed_mean(values[:2], 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWERS)
def test_killed_and_resumed_it_ends_with_the_same_bits(npz: Path, tmp_path: Path, name: str) -> None:
    settings = {"data": {"source": {"kind": "npz", "path": str(npz)}, "partition": "iid"}, "model": {"layers": [5]}}
    federation = ["federation.rounds=4", "federation.clients_per_round=7"]
    assert_resumes(settings, tmp_path, [*federation, f"federation.strategy={FLOWERS[name][0]}"], killed_after=[3])
