"""Strategies with models of clients' own, against literal transcriptions of their papers' pseudo-code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common import seeds
from common.arrays import NamedArrays
from common.metrics.fairness import fairness
from common.personal import own_arrays
from tests.federations import batches_of, named, starting_weights, trained_alone
from tests.literal import (
    RATE,
    ROUNDS,
    SIZES,
    Literal,
    Ran,
    assert_equal,
    clients,
    cohort,
    last_rounds,
    literal_scenario,
    mean,
    run,
)


def assert_own_models(ran: Ran, expected: dict[int, NamedArrays], tolerance: float = 1e-9) -> None:
    """What each client that took part has kept of its own is what is expected."""
    assert last_rounds().keys() == expected.keys()
    for client, version in last_rounds().items():
        assert_equal(own_arrays(ran.kept(client, version)), expected[client], tolerance)


def of_layers(weights: NamedArrays, *layers: int) -> NamedArrays:
    return {name: array for name, array in weights.items() if int(name.split(".")[1]) in layers}


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_fedper_is_its_papers_algorithms(tmp_path: Path, normalization: str) -> None:
    prepared = clients(tmp_path)
    strategy = {"name": "fedper", "personal_layers": 2}
    chosen = literal_scenario(strategy, model={"normalization": normalization})
    literal = Literal(chosen, prepared)
    start = literal.start()
    base, own = of_layers(start, 0), dict.fromkeys(range(len(SIZES)), of_layers(start, 1, 2))
    for number in range(1, ROUNDS + 1):
        trained = []
        for client in cohort(number):
            weights = base | own[client]
            for rows in batches_of(chosen, prepared, client, number):
                gradient = literal.gradient(weights, rows)
                weights |= {name: weights[name] - RATE * gradient[name] for name in gradient}
            own[client] = of_layers(weights, 1, 2)
            trained.append(of_layers(weights, 0))
        base = mean(trained, [SIZES[client] for client in cohort(number)])
    ran = run(chosen, prepared)
    assert_equal(ran.weights, base | of_layers(start, 1, 2), 1e-9)
    assert_own_models(ran, {client: own[client] for client in last_rounds()})


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_ditto_is_its_papers_algorithm_1(tmp_path: Path, normalization: str) -> None:
    prepared = clients(tmp_path)
    strength = 0.7
    chosen = literal_scenario({"name": "ditto", "lambda": strength}, model={"normalization": normalization})
    literal = Literal(chosen, prepared)
    w, v = literal.start(), dict[int, NamedArrays]()
    for number in range(1, ROUNDS + 1):
        trained = []
        for k in cohort(number):
            w_k, v[k] = dict(w), dict(v.get(k, w))
            for rows in batches_of(chosen, prepared, k, number):
                g = literal.gradient(w_k, rows)
                w_k |= {name: w_k[name] - RATE * g[name] for name in g}
            for rows in batches_of(chosen, prepared, k, number):
                g = literal.gradient(v[k], rows)
                v[k] |= {name: v[k][name] - RATE * (g[name] + strength * (v[k][name] - w[name])) for name in g}
            trained.append(w_k)
        w = mean(trained, [SIZES[k] for k in cohort(number)])
    ran = run(chosen, prepared)
    assert_equal(ran.weights, w, 1e-9)
    assert_own_models(ran, v)


def test_fedbn_is_its_papers_algorithm_1(tmp_path: Path) -> None:
    prepared = clients(tmp_path)
    chosen = literal_scenario("fedbn", model={"normalization": "batch"})
    literal = Literal(chosen, prepared)
    start = literal.start()
    own = {k: {name: a for name, a in start.items() if name.startswith("norms.")} for k in range(len(SIZES))}
    w = {name: a for name, a in start.items() if name.startswith("layers.")}
    for number in range(1, ROUNDS + 1):
        trained = []
        for k in cohort(number):
            w_k = w | own[k]
            for rows in batches_of(chosen, prepared, k, number):
                g = literal.gradient(w_k, rows)
                w_k |= {name: w_k[name] - RATE * g[name] for name in g}
            own[k] = {name: w_k[name] for name in own[k]}
            trained.append({name: w_k[name] for name in w})
        w = mean(trained)
    ran = run(chosen, prepared)
    assert_equal(ran.weights, start | w, 1e-9)
    assert_own_models(ran, {k: own[k] for k in last_rounds()})


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_fedrep_is_its_papers_algorithm_1(tmp_path: Path, normalization: str) -> None:
    prepared = clients(tmp_path)
    tau = 3
    chosen = literal_scenario({"name": "fedrep", "head_epochs": tau}, model={"normalization": normalization})
    literal = Literal(chosen, prepared)
    first = chosen.model_copy(
        update={
            "seed": seeds.key(chosen.seed, "warm-up"),
            "training": chosen.training.model_copy(update={"epochs": tau}),
        }
    )
    start = literal.start()
    phi, h = of_layers(start, 0, 1), dict.fromkeys(range(len(SIZES)), of_layers(start, 2))
    for number in range(1, ROUNDS + 1):
        trained = []
        for i in cohort(number):
            w = phi | h[i]
            for rows in batches_of(first, prepared, i, number):
                g = literal.gradient(w, rows)
                w |= {name: w[name] - RATE * g[name] for name in h[i]}
            for rows in batches_of(chosen, prepared, i, number):
                g = literal.gradient(w, rows)
                w |= {name: w[name] - RATE * g[name] for name in g if name in phi}
            h[i] = {name: w[name] for name in h[i]}
            trained.append({name: w[name] for name in phi})
        phi = mean(trained)
    ran = run(chosen, prepared)
    assert_equal(ran.weights, start | phi, 1e-9)
    assert_own_models(ran, {i: h[i] for i in last_rounds()})


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_pfedme_is_its_papers_algorithm_1(tmp_path: Path, normalization: str) -> None:
    prepared = clients(tmp_path)
    strength, eta, steps, beta = 1.5, 0.3, 4, 0.8
    strategy = {"name": "pfedme", "lambda": strength, "lr": eta, "inner_steps": steps, "beta": beta}
    chosen = literal_scenario(strategy, model={"normalization": normalization})
    literal = Literal(chosen, prepared)
    w, theta = literal.start(), dict[int, NamedArrays]()
    buffers = {name for name in w if "running" in name}
    for number in range(1, ROUNDS + 1):
        local = []
        for i in cohort(number):
            w_i, theta[i] = dict(w), dict(w)
            for rows in batches_of(chosen, prepared, i, number):
                for _ in range(steps):
                    g = literal.gradient(theta[i], rows)
                    theta[i] |= {n: theta[i][n] - RATE * (g[n] + strength * (theta[i][n] - w_i[n])) for n in g}
                w_i |= {n: w_i[n] - eta * strength * (w_i[n] - theta[i][n]) for n in g}
            local.append({n: theta[i][n] if n in buffers else w_i[n] for n in w})
        average = mean(local)
        w = {n: average[n] if n in buffers else (1 - beta) * w[n] + beta * average[n] for n in w}
    ran = run(chosen, prepared)
    assert_equal(ran.weights, w, 1e-9)
    assert_own_models(ran, theta)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_ifca_is_its_papers_algorithm_1(tmp_path: Path, normalization: str) -> None:
    prepared = clients(tmp_path)
    chosen = literal_scenario({"name": "ifca", "clusters": 3}, model={"normalization": normalization})
    literal = Literal(chosen, prepared)
    theta = [literal.start()]
    for number in (1, 2):
        network = starting_weights(chosen, prepared)
        network.initialize(seeds.torch_generator(chosen.seed, "init", number))
        theta.append(named(network))
    for number in range(1, ROUNDS + 1):
        s, trained = [], []
        for i in cohort(number):
            j = int(np.argmin([literal.loss(model, prepared.training_examples(i)) for model in theta]))
            theta_i = dict(theta[j])
            for rows in batches_of(chosen, prepared, i, number):
                g = literal.gradient(theta_i, rows)
                theta_i |= {name: theta_i[name] - RATE * g[name] for name in g}
            s.append(j)
            trained.append(theta_i)
        theta = [
            mean([t for t, its in zip(trained, s, strict=True) if its == j]) if j in s else theta[j] for j in range(3)
        ]
    assert len(set(s)) > 1, "otherwise this would show little"
    ran = run(chosen, prepared)
    assert_equal(ran.weights, theta[int(np.bincount(s).argmax())], 1e-9)
    kept = ran.rounds._strategy.state
    for j, model in enumerate(theta):
        assert_equal({name: kept[f"{j}.{name}"] for name in model}, model, 1e-9)


def test_ifca_measures_the_cluster_that_fits_a_clients_training_rows(tmp_path: Path) -> None:
    prepared = clients(tmp_path)
    chosen = literal_scenario({"name": "ifca", "clusters": 3})
    literal, ran = Literal(chosen, prepared), run(chosen, prepared)
    kept = ran.rounds._strategy.state
    theta = [{name: kept[f"{j}.{name}"] for name in literal.start()} for j in range(3)]
    losses = []
    for client in range(len(SIZES)):
        j = int(np.argmin([literal.loss(model, prepared.training_examples(client)) for model in theta]))
        losses.append(literal.loss(theta[j], prepared.holdout_examples(client)))
    assert ran.watcher.rounds[-1]["personal_loss"] == pytest.approx(np.mean(losses), rel=1e-9)


EQUAL = [24] * len(SIZES)
"""Shards of one size, for rules that do not look at sizes."""


@pytest.mark.parametrize(
    "strategy",
    [
        "fedbn",
        {"name": "ifca", "clusters": 1},
        {"name": "pfedme", "lambda": 2.0, "lr": 0.5, "inner_steps": 1},
    ],
    ids=["fedbn without batch normalization", "ifca of one cluster", "pfedme whose local weights are its own model"],
)
def test_what_reduces_to_fedavg_is_fedavg(tmp_path: Path, strategy: Any) -> None:
    prepared = clients(tmp_path, EQUAL)
    fedavg = run(literal_scenario("fedavg"), prepared)
    assert_equal(run(literal_scenario(strategy), prepared).weights, fedavg.weights, 1e-12)


def test_ditto_without_its_term_is_local_training_beside_fedavg(tmp_path: Path) -> None:
    prepared = clients(tmp_path)
    everyone = {"clients_per_round": 1.0}
    ditto = run(literal_scenario({"name": "ditto", "lambda": 0}, federation=everyone), prepared)
    fedavg = run(literal_scenario("fedavg", federation=everyone), prepared)
    assert_equal(ditto.weights, fedavg.weights, 1e-12)
    for client in range(len(SIZES)):
        alone = None
        for number in range(1, ROUNDS + 1):
            alone, _ = trained_alone(literal_scenario("fedavg"), prepared, client, alone, number)
        assert_equal(own_arrays(ditto.kept(client, ROUNDS)), alone or {}, 1e-12)


def test_fedper_without_personal_layers_is_fedavg(tmp_path: Path) -> None:
    prepared = clients(tmp_path)
    fedper = run(literal_scenario({"name": "fedper", "personal_layers": 0}), prepared)
    assert_equal(fedper.weights, run(literal_scenario("fedavg"), prepared).weights, 1e-12)


def test_what_clients_keep_to_themselves_is_not_sent(tmp_path: Path) -> None:
    chosen = literal_scenario({"name": "fedper", "personal_layers": 2})
    ran = run(chosen, clients(tmp_path))
    layer = 6 * 7 + 7
    assert [entry["bytes_up"] for entry in ran.watcher.rounds[1:]] == [5 * 8 * layer] * ROUNDS


def test_own_models_are_measured_on_own_rows(tmp_path: Path) -> None:
    prepared = clients(tmp_path)
    ran = run(literal_scenario({"name": "fedper", "personal_layers": 2}), prepared)
    accuracies, hits = [], 0
    for client in range(len(SIZES)):
        version, rows = last_rounds().get(client), prepared.holdout_examples(client)
        weights = ran.weights | (own_arrays(ran.kept(client, version)) if version else {})
        hidden = prepared.x[rows]
        for layer in range(3):
            hidden = hidden @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]
            hidden = np.maximum(hidden, 0) if layer < 2 else hidden
        right = hidden.argmax(axis=1) == prepared.y[rows]
        accuracies.append(right.mean())
        hits += right.sum()
    told = ran.watcher.rounds[-1]
    assert told["personal_accuracy"] == pytest.approx(hits / (4 * len(SIZES)))
    assert told["personal_accuracy_mean"] == pytest.approx(np.mean(accuracies))
    assert told["personal_accuracy_worst_10"] == pytest.approx(min(accuracies))
    assert told["personal_accuracy_best_10"] == pytest.approx(max(accuracies))
    assert told["personal_accuracy_variance"] == pytest.approx(np.var(accuracies))
    assert told["personal_accuracy_jain"] == pytest.approx(fairness(np.array(accuracies), True)["jain"])
    before = ran.watcher.rounds[0]
    assert before["personal_accuracy_mean"] == before["holdout_accuracy_mean"], "nobody has a model of its own yet"


def test_a_client_whose_own_model_goes_astray_is_left_out_and_named(tmp_path: Path) -> None:
    once = {"clients_per_round": 1.0, "rounds": 1}
    ran = run(literal_scenario({"name": "ditto", "lambda": 1e70}, federation=once), clients(tmp_path), excluding=True)
    excluded = [event for name, event in ran.watcher.events if name == "excluded"]
    assert {event["reason"] for event in excluded} == {"its own model's weights became infinite or NaN in training"}
    gone = [client for event in excluded for client in event["clients"]]
    assert 0 in gone
    assert 3 not in gone, "a client of one row takes but two steps"
    assert np.isfinite(own_arrays(ran.kept(3, 1))["layers.0.weight"]).all()
    assert ran.watcher.rounds[-1]["clients"] == len(SIZES) - len(gone)


@pytest.mark.parametrize("strategy", ["fedbn", "fedper", "fedrep", "ditto", "pfedme", "ifca"])
def test_early_stopping_and_kept_momentum_go_with_it(tmp_path: Path, strategy: str) -> None:
    training = {
        "epochs": 3,
        "early_stopping": {"patience": 1},
        "optimizer": {"name": "adam", "lr": 0.01},
        "optimizer_state": "client",
    }
    chosen = literal_scenario(strategy, training=training, model={"normalization": "batch", "dropout": 0.2})
    ran = run(chosen, clients(tmp_path))
    assert np.isfinite(ran.watcher.rounds[-1]["personal_loss"])
    states = [ran.kept(client, version) for client, version in last_rounds().items()]
    assert all("steps" in state for state in states), "Adam's own count of steps"
    assert all(bool(own_arrays(state)) == (strategy != "ifca") for state in states)
