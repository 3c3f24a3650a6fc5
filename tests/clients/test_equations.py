"""The mathematics of training, written out in NumPy with derivatives by hand: no automatic differentiation, no PyTorch.

`docs/mathematics.md` says which line each part of this file is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clients.regularization.budgets import project_l1
from common.arrays import NamedArrays
from common.data import Prepared
from common.scenario import Scenario
from tests.clients.test_truth import Trainer, assert_close, either, one_each
from tests.federations import batches_of, federation, named, scenario, starting_weights

Array = NDArray[np.float64]
SLOPE = 0.2


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sigmoid": (sigmoid, lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(0, z), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z < 0, SLOPE * z, z), lambda z: np.where(z < 0, SLOPE, 1.0)),
}
"""Each function with its derivative. ReLU's at 0 is 0, as PyTorch has it."""

LOSSES: dict[str, tuple[Callable[[Array, Array], float], Callable[[Array, Array], Array]]] = {
    "cross_entropy": (
        lambda z, y: -np.mean(np.sum(y * np.log(softmax(z)), axis=1)),
        lambda z, y: (softmax(z) - y) / len(z),
    ),
    # Once for each class, of which the mean is taken.
    "binary_cross_entropy": (
        lambda z, y: -np.mean(y * np.log(sigmoid(z)) + (1 - y) * np.log(1 - sigmoid(z))),
        lambda z, y: (sigmoid(z) - y) / z.size,
    ),
    # For each number of a target, of which the mean is taken.
    "half_mse": (lambda z, y: np.sum((z - y) ** 2) / (2 * z.size), lambda z, y: (z - y) / z.size),
    "mse": (lambda z, y: np.sum((z - y) ** 2) / z.size, lambda z, y: 2 * (z - y) / z.size),
}
"""J and its derivative by the outputs z; classes are 0 and 1 in y."""


class Optimizer:
    """One rule for one parameter, with what it remembers."""

    def __init__(self, spec: Any) -> None:
        self.spec, self.v, self.m, self.t = spec, 0.0, 0.0, 0

    def step(self, theta: Array, g: Array) -> Array:
        """θ after a step with the gradient g."""
        c, self.t = self.spec, self.t + 1
        if c.name == "sgd":
            return theta - c.lr * g
        if c.name == "momentum":
            self.v = c.momentum * self.v + c.lr * g
            return theta - self.v
        if c.name == "averaged_momentum":
            self.v = c.momentum * self.v + (1 - c.momentum) * g
            return theta - c.lr * self.v
        if c.name == "adagrad":
            self.v = self.v + g**2
            return theta - c.lr * g / (np.sqrt(self.v) + c.eps)
        if c.name == "rmsprop":
            self.v = c.decay * self.v + (1 - c.decay) * g**2
            return theta - c.lr * g / (np.sqrt(self.v) + c.eps)
        self.m = c.beta1 * self.m + (1 - c.beta1) * g
        self.v = c.beta2 * self.v + (1 - c.beta2) * g**2
        m, v = self.m / (1 - c.beta1**self.t), self.v / (1 - c.beta2**self.t)
        return theta - c.lr * m / (np.sqrt(v) + c.eps)


def gradients(p: NamedArrays, x: Array, y: Array, chosen: Scenario) -> tuple[float, NamedArrays]:
    """J on a batch, and its derivative by every parameter, by the chain rule."""
    f, slope = ACTIVATIONS[chosen.model.activation.name]
    loss, by_outputs = LOSSES[chosen.training.loss.name]
    m = len(x)
    z = x @ p["layers.0.weight"].T + p.get("layers.0.bias", 0.0)
    normal = chosen.model.normalization.name == "batch"
    if normal:
        mean, variance = z.sum(axis=0) / m, ((z - z.sum(axis=0) / m) ** 2).sum(axis=0) / m
        root = np.sqrt(variance + chosen.model.normalization.eps)
        hat = (z - mean) / root
        z = p["norms.0.weight"] * hat + p["norms.0.bias"]
    a = f(z)
    outputs = a @ p["layers.1.weight"].T + p["layers.1.bias"]
    delta = by_outputs(outputs, y)
    found = {"layers.1.weight": delta.T @ a, "layers.1.bias": delta.sum(axis=0)}
    back = (delta @ p["layers.1.weight"]) * slope(z)
    if normal:
        found |= {"norms.0.weight": (back * hat).sum(axis=0), "norms.0.bias": back.sum(axis=0)}
        by_hat = back * p["norms.0.weight"]
        back = (m * by_hat - by_hat.sum(axis=0) - hat * (by_hat * hat).sum(axis=0)) / (m * root)
    else:
        found["layers.0.bias"] = back.sum(axis=0)
    return loss(outputs, y), found | {"layers.0.weight": back.T @ x}


def trained(chosen: Scenario, prepared: Prepared, client: int) -> NamedArrays:
    """A client's parameters after its round."""
    rule = chosen.training.regularization
    p = {n: a.astype(np.float64) for n, a in named(starting_weights(chosen, prepared)).items() if "running" not in n}
    optimizers = {name: Optimizer(chosen.training.optimizer) for name in p}
    weights = [name for name in p if name.startswith("layers.") and name.endswith("weight")]
    for rows in batches_of(chosen, prepared, client):
        x, y = prepared.x[rows], prepared.y[rows]
        y = np.eye(len(prepared.meta.labels))[y] if prepared.meta.labels else y
        _, g = gradients(p, x, y, chosen)
        for name in weights:
            g[name] = g[name] + rule.l1 * np.sign(p[name]) + rule.l2 * p[name]
        p = {name: optimizers[name].step(p[name], g[name]) for name in p}
        w = np.concatenate([p[name].ravel() for name in weights])
        if rule.l1_budget is not None and np.abs(w).sum() > rule.l1_budget:
            w = nearest_in_l1_ball(w, rule.l1_budget)
        if rule.l2_budget is not None and (w**2).sum() > rule.l2_budget:
            w = w * np.sqrt(rule.l2_budget / (w**2).sum())
        for name in weights:
            p[name], w = w[: p[name].size].reshape(p[name].shape), w[p[name].size :]
    return p


def nearest_in_l1_ball(w: Array, budget: float) -> Array:
    """Magnitudes lowered by the one amount that leaves a sum of `budget`: sought among all that zero some weight."""
    for amount in np.sort(np.abs(w)):
        if np.maximum(np.abs(w) - amount, 0).sum() <= budget:
            left = np.abs(w) >= amount
            amount = (np.abs(w)[left].sum() - budget) / left.sum()
            return np.sign(w) * np.maximum(np.abs(w) - amount, 0)
    raise AssertionError


def assert_by_hand(prepared: Prepared, by: Trainer, model: dict[str, Any], **training: Any) -> None:
    chosen = scenario(
        seed=3,
        model={"layers": [5], "dtype": by.dtype, **model},
        training={"trainer": by.engine, "stack": 3, "batch_size": 8, **training},
    )
    for client, mine in enumerate(one_each(chosen, prepared)):
        by_hand = trained(chosen, prepared, client)
        assert_close(mine, by_hand, by.tolerance)
        start = named(starting_weights(chosen, prepared))
        assert any(np.abs(by_hand[name] - start[name]).max() > 1e-3 for name in by_hand), "nothing was learned"


def data_for(loss: str, folder: Path) -> tuple[Prepared, str]:
    task = "classification" if loss.endswith("entropy") else "regression"
    output = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss, "linear")
    return federation(folder, [23, 8, 17], task), output


@either()
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_descent_on_every_loss_with_every_activation(
    tmp_path: Path, by: Trainer, loss: str, activation: str
) -> None:
    prepared, output = data_for(loss, tmp_path)
    spec = {"name": activation} | ({"slope": SLOPE} if activation == "leaky_relu" else {})
    rule = {"batch_size": "full", "epochs": 6, "optimizer": {"name": "sgd", "lr": 0.5}}
    assert_by_hand(prepared, by, {"activation": spec, "output": output}, loss=loss, **rule)


OPTIMIZERS: list[dict[str, Any]] = [
    {"name": "sgd", "lr": 0.3},
    {"name": "momentum", "lr": 0.05, "momentum": 0.8},
    {"name": "averaged_momentum", "lr": 0.3, "momentum": 0.7},
    {"name": "adagrad", "lr": 0.05, "eps": 1e-6},
    {"name": "rmsprop", "lr": 0.01, "decay": 0.9, "eps": 1e-4},
    {"name": "adam", "lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-4},
]


@either()
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: spec["name"])
def test_every_optimizer(tmp_path: Path, by: Trainer, optimizer: dict[str, Any]) -> None:
    prepared, _ = data_for("cross_entropy", tmp_path)
    assert_by_hand(prepared, by, {"activation": "tanh"}, loss="cross_entropy", epochs=2, optimizer=optimizer)


@either()
@pytest.mark.parametrize("rule", [{"l1": 0.02}, {"l2": 0.1}, {"l1": 0.01, "l2": 0.1}], ids="-".join)
def test_penalties(tmp_path: Path, by: Trainer, rule: dict[str, Any]) -> None:
    prepared, _ = data_for("cross_entropy", tmp_path)
    assert_by_hand(prepared, by, {"activation": "tanh"}, loss="cross_entropy", epochs=2, regularization=rule)


@either()
@pytest.mark.parametrize("rule", [{"l1_budget": 8.0}, {"l2_budget": 2.0}], ids="-".join)
def test_budgets(tmp_path: Path, by: Trainer, rule: dict[str, Any]) -> None:
    prepared, _ = data_for("cross_entropy", tmp_path)
    assert_by_hand(prepared, by, {"activation": "tanh"}, loss="cross_entropy", epochs=2, regularization=rule)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([torch.float64, torch.float32]))
def test_the_nearest_point_in_an_l1_ball_whatever_the_guess(seed: int, dtype: torch.dtype) -> None:
    """Clients with budgets of their own, their vectors in two parts, θ guessed too low, too high and right."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(4, 30)) * rng.integers(0, 2, (4, 30)) * 10.0 ** rng.integers(-3, 3)
    budgets = np.abs(whole).sum(axis=1) * rng.choice([0.01, 0.5, 0.99, 1.0, 2.0], 4) + 1e-3
    pairs = zip(whole, budgets, strict=True)
    expected = np.array([nearest_in_l1_ball(w, b) if np.abs(w).sum() > b else w for w, b in pairs])
    theta, scale = None, np.abs(whole).max() + 1
    for guess in (0.0, scale, None):
        parts = [torch.tensor(whole[:, :11], dtype=dtype), torch.tensor(whole[:, 11:], dtype=dtype)]
        start = theta if guess is None else torch.full((4, 1), guess, dtype=dtype)
        assert start is not None
        theta = project_l1(parts, torch.tensor(budgets, dtype=dtype).unsqueeze(1), start)
        found = torch.cat(parts, dim=1).numpy()
        assert np.abs(found - expected).max() <= scale * {torch.float64: 1e-12, torch.float32: 1e-5}[dtype]


def test_a_vector_within_its_budget_or_beyond_all_numbers_stays() -> None:
    parts = [torch.tensor([[0.1, -0.2], [float("nan"), 1.0], [3.0, -4.0]])]
    project_l1(parts, torch.tensor([[1.0], [1.0], [1.0]]), torch.zeros(3, 1))
    assert parts[0][0].tolist() == torch.tensor([0.1, -0.2]).tolist()
    assert parts[0][1].isnan().any()
    assert parts[0][2].tolist() == [0.0, -1.0]


@either()
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_batch_normalization(tmp_path: Path, by: Trainer, activation: str) -> None:
    prepared, _ = data_for("cross_entropy", tmp_path)
    model = {"activation": activation, "normalization": {"name": "batch", "eps": 1e-3}}
    assert_by_hand(prepared, by, model, loss="cross_entropy", epochs=2)


@either()
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_zeros_never_break_the_symmetry_of_hidden_units(tmp_path: Path, by: Trainer, activation: str) -> None:
    prepared, _ = data_for("cross_entropy", tmp_path)
    model = {"activation": activation, "initialization": "zeros"}
    assert_by_hand(prepared, by, model, loss="cross_entropy", epochs=2)
    chosen = scenario(
        model={"layers": [5], "dtype": by.dtype, **model},
        training={"trainer": by.engine, "epochs": 5, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.5}},
    )
    hidden = one_each(chosen, prepared)[0]["layers.0.weight"]
    assert (hidden == hidden[:1]).all()


def test_the_derivatives_by_hand_are_those_of_the_loss(tmp_path: Path) -> None:
    """The truth itself, by finite differences."""
    for loss in LOSSES:
        prepared, output = data_for(loss, tmp_path / loss)
        model = {"layers": [5], "activation": "tanh", "output": output, "normalization": "batch", "dtype": "float64"}
        chosen = scenario(model=model, training={"loss": loss})
        p = {n: a for n, a in named(starting_weights(chosen, prepared)).items() if "running" not in n}
        x, y = prepared.x[:9], prepared.y[:9]
        y = np.eye(3)[y] if prepared.meta.labels else y
        _, g = gradients(p, x, y, chosen)
        for name, place in [("layers.0.weight", (2, 1)), ("norms.0.weight", (3,)), ("layers.1.bias", (0,))]:
            apart = []
            for small in (1e-6, -1e-6):
                moved = {n: a.copy() for n, a in p.items()}
                moved[name][place] += small
                apart.append(gradients(moved, x, y, chosen)[0])
            assert g[name][place] == pytest.approx((apart[0] - apart[1]) / 2e-6, abs=1e-7)
