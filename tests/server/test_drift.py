"""Every algorithm equals its paper's pseudo-code, written down line by line on vectors, and what it must reduce to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flwr.app import Message
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import hothouse
from clients.blocks.blocks import train_blocks
from common.data import Prepared
from common.messages import TrainReply
from common.methods.geometricmedian.server import weiszfeld
from common.scenario import Scenario
from common.scenario.normalizations import BatchNorm
from common.selection.rules import select
from server.grid.local import LocalGrid
from server.rounds import Rounds
from tests.conftest import REPOSITORY
from tests.federations import FEATURES, batches_of, federation, named, scenario, starting_weights, train_order
from tests.plain import Plain
from tests.resuming import assert_resumes, assert_same
from tests.server.test_rounds import ran
from tests.strategies import sampled

SIZES = [23, 5, 40, 1, 16, 17, 33, 2]
CLIENTS, COHORT, ROUNDS = len(SIZES), 5, 3
LR = 0.1


class Problem:
    """A federation as papers see it: losses of clients at vectors, and who takes part when."""

    def __init__(
        self, folder: Path, strategy: Any, sizes: list[int] = SIZES, cohort: int = COHORT, **training: Any
    ) -> None:
        self.sizes = sizes
        self.prepared: Prepared = federation(folder, sizes)
        self.chosen: Scenario = scenario(
            seed=5,
            data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": len(self.sizes)}},
            model={"layers": [7], "activation": "tanh", "dtype": "float64"},
            training={"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": LR}, **training},
            federation={"rounds": ROUNDS, "clients_per_round": cohort, "blocks": 3, "strategy": strategy},
        )
        self.network = Plain(self.chosen.model, FEATURES, 3)
        self.start = parameters_to_vector(starting_weights(self.chosen, self.prepared).parameters()).detach()

    def cohort(self, t: int) -> list[int]:
        return select(5, t, CLIENTS, COHORT).tolist()

    def batches(self, client: int, t: int) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in batches_of(self.chosen, self.prepared, client, t):
            yield torch.tensor(self.prepared.x[rows]), torch.tensor(self.prepared.y[rows])

    def gradient(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """The gradient of the mean cross-entropy of a batch."""
        vector_to_parameters(theta, self.network.parameters())
        loss = F.cross_entropy(self.network(x), y)
        return parameters_to_vector(torch.autograd.grad(loss, list(self.network.parameters())))

    def assert_ends_at(self, theta: Tensor) -> None:
        """Our run of the same scenario ends with these weights."""
        reached = parameters_to_vector(ran(self.chosen, self.prepared).model.network.parameters()).detach()
        assert (reached - self.start).abs().max() > 0.01
        assert (reached - theta).abs().max() < 1e-9


def test_scaffold_is_its_algorithm_1(tmp_path: Path) -> None:
    problem = Problem(tmp_path, {"name": "scaffold", "server_lr": 0.7})
    x, c = problem.start, torch.zeros_like(problem.start)
    own = [torch.zeros_like(c) for _ in range(CLIENTS)]
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        moves, changes = [], []
        for i in S:
            y, K = x.clone(), 0
            for rows, labels in problem.batches(i, t):
                y = y - LR * (problem.gradient(y, rows, labels) - own[i] + c)
                K += 1
            plus = own[i] - c + (x - y) / (K * LR)
            moves.append(y - x)
            changes.append(plus - own[i])
            own[i] = plus
        x = x + 0.7 / len(S) * sum(moves)
        c = c + sum(changes) / CLIENTS
    problem.assert_ends_at(x)


def test_after_a_round_of_momentum_scaffolds_control_variates_are_means_of_gradients(tmp_path: Path) -> None:
    """v ← ρ v + d, y ← y − η v with d = g − cᵢ + c: y moves by η Σ aₖ dₖ, aₖ = (1 − ρ^{K−k}) / (1 − ρ)."""
    rho = 0.6
    problem = Problem(tmp_path, "scaffold", optimizer={"name": "sgd", "lr": LR, "momentum": rho})
    x, c = problem.start, torch.zeros_like(problem.start)
    own = [torch.zeros_like(c) for _ in range(CLIENTS)]
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        moves, changes = [], []
        for i in S:
            y, v, seen = x.clone(), torch.zeros_like(x), []
            for rows, labels in problem.batches(i, t):
                seen.append(problem.gradient(y, rows, labels))
                v = rho * v + seen[-1] - own[i] + c
                y = y - LR * v
            a = [(1 - rho ** (len(seen) - k)) / (1 - rho) for k in range(len(seen))]
            plus = sum(weight * g for weight, g in zip(a, seen, strict=True)) / sum(a)
            moves.append(y - x)
            changes.append(plus - own[i])
            own[i] = plus
        x = x + sum(moves) / len(S)
        c = c + sum(changes) / CLIENTS
    problem.assert_ends_at(x)


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_fednova_is_its_equations(tmp_path: Path, rho: float) -> None:
    """d = G a / ‖a‖₁; a of plain SGD is all ones, of momentum (1 − ρ^{τ−k}) / (1 − ρ), the paper's section 3.2."""
    problem = Problem(tmp_path, "fednova", optimizer={"name": "sgd", "lr": LR, "momentum": rho})
    x = problem.start
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        n = sum(SIZES[i] for i in S)
        p = [SIZES[i] / n for i in S]
        d, norms = [], []
        for i in S:
            y, v, G = x.clone(), torch.zeros_like(x), []
            for rows, labels in problem.batches(i, t):
                G.append(problem.gradient(y, rows, labels))
                v = rho * v + G[-1]
                y = y - LR * v
            tau = len(G)
            a = [(1 - rho ** (tau - k)) / (1 - rho) for k in range(tau)]
            norms.append(sum(a))
            d.append(sum(weight * g for weight, g in zip(a, G, strict=True)) / sum(a))
            if rho:
                assert norms[-1] == pytest.approx((tau - rho * (1 - rho**tau) / (1 - rho)) / (1 - rho))
        tau_effective = sum(weight * norm for weight, norm in zip(p, norms, strict=True))
        x = x - tau_effective * LR * sum(weight * way for weight, way in zip(p, d, strict=True))
    problem.assert_ends_at(x)


def test_fednova_counts_decoupled_weight_decay(tmp_path: Path) -> None:
    """y ← (1 − ηλ) y − η g moves y − x by −η (1 − ηλ)^{τ−1−k} (gₖ + λx): these are its aₖ."""
    decay = 0.5
    regularization = {"weight_decay": decay, "biases": True}
    problem = Problem(tmp_path, "fednova", regularization=regularization)
    x = problem.start
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        n = sum(SIZES[i] for i in S)
        ways, norms = [], []
        for i in S:
            y, G = x.clone(), []
            for rows, labels in problem.batches(i, t):
                G.append(problem.gradient(y, rows, labels))
                y = (1 - LR * decay) * y - LR * G[-1]
            a = [(1 - LR * decay) ** (len(G) - 1 - k) for k in range(len(G))]
            d = sum(weight * (g + decay * x) for weight, g in zip(a, G, strict=True)) / sum(a)
            assert (x - y - LR * sum(a) * d).abs().max() < 1e-12
            ways.append(SIZES[i] / n * d)
            norms.append(SIZES[i] / n * sum(a))
        x = x - LR * sum(norms) * sum(ways)
    problem.assert_ends_at(x)


OBJECTIVES: dict[str, dict[str, Any]] = {
    "plain": {},
    "label smoothing, class weights and a penalty": {
        "loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": {"0": 3.0}},
        "regularization": {"l2": 0.3, "biases": True},
        "clip_norm": 0.5,
    },
}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad"])
def test_scaffold_with_an_adaptive_optimizer_is_option_1(tmp_path: Path, optimizer: str, objective: str) -> None:
    """cᵢ ← ∇fᵢ(x), the gradient of the whole objective over all of the client's examples, which nothing clips."""
    lr, settings = 0.02, OBJECTIVES[objective]
    problem = Problem(tmp_path, "scaffold", optimizer={"name": optimizer, "lr": lr}, **settings)
    weights = torch.tensor([3.0, 1.0, 1.0]) if settings else torch.ones(3)
    smoothing, l2 = (0.1, 0.3) if settings else (0.0, 0.0)

    def gradient(theta: Tensor, rows: Tensor, labels: Tensor) -> Tensor:
        vector_to_parameters(theta, problem.network.parameters())
        loss = F.cross_entropy(problem.network(rows), labels, weights.double(), label_smoothing=smoothing)
        return parameters_to_vector(torch.autograd.grad(loss, list(problem.network.parameters()))) + l2 * theta

    x, c = problem.start, torch.zeros_like(problem.start)
    own = [torch.zeros_like(c) for _ in range(CLIENTS)]
    make = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad}[optimizer]
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        moves, changes = [], []
        for i in S:
            y = x.clone().requires_grad_()
            stepping = make([y], lr=lr)
            for rows, labels in problem.batches(i, t):
                g = gradient(y.detach(), rows, labels)
                if settings:
                    g = g * min(1.0, 0.5 / float(g.norm() + 1e-6))
                y.grad = g - own[i] + c
                stepping.step()
            positions = problem.prepared.training_examples(i)
            everything = torch.tensor(problem.prepared.x[positions]), torch.tensor(problem.prepared.y[positions])
            plus = gradient(x, *everything)
            moves.append(y.detach() - x)
            changes.append(plus - own[i])
            own[i] = plus
        x = x + sum(moves) / len(S)
        c = c + sum(changes) / CLIENTS
    problem.assert_ends_at(x)


def test_option_1_with_batch_normalization_is_the_mean_gradient_of_an_epochs_batches(tmp_path: Path) -> None:
    problem = Problem(tmp_path, {"name": "scaffold", "control": "option_1"}, optimizer={"name": "adam", "lr": 0.01})
    chosen = problem.chosen.model_copy(
        update={"model": problem.chosen.model.model_copy(update={"normalization": BatchNorm()})}
    )
    start = starting_weights(chosen, problem.prepared)
    network, client = Plain(chosen.model, FEATURES, 3), 2
    network.load_state_dict(start.state_dict(), strict=False)
    expected = [torch.zeros_like(parameter) for parameter in network.parameters()]
    epoch = list(batches_of(chosen, problem.prepared, client, 1))[: -(-SIZES[client] // 8)]
    assert sorted(np.concatenate(epoch)) == sorted(problem.prepared.training_examples(client))
    for rows in epoch:
        loss = F.cross_entropy(
            network.train()(torch.tensor(problem.prepared.x[rows])), torch.tensor(problem.prepared.y[rows])
        )
        for total, gradient in zip(expected, torch.autograd.grad(loss, list(network.parameters())), strict=True):
            total += len(rows) / SIZES[client] * gradient
    order = train_order(chosen, problem.prepared, [[client]])
    order.records["control"] = {name: np.zeros(tensor.shape) for name, tensor in start.named_parameters()}
    reply = train_blocks(problem.prepared, replace(order, fresh=np.ones(1, dtype=bool)))
    assert reply.state is not None
    for (name, _), gradient in zip(start.named_parameters(), expected, strict=True):
        assert np.abs(reply.state[f"control.{name}"][0] - gradient.numpy()).max() < 1e-12, name


def test_option_1s_pass_counts_in_what_a_client_costs() -> None:
    from server.exchange.costs import training_cost

    rows = np.array([1000])
    plain, adam = (
        scenario(federation={"strategy": "scaffold"}),
        scenario(federation={"strategy": "scaffold"}, training={"optimizer": "adam"}),
    )
    passes = [one.federation.strategy.passes(one.training) for one in (plain, adam)]
    assert passes == [0, 1]
    once, twice = (float(training_cost(plain.training, 10_000, rows, n)[0]) for n in passes)
    assert twice / once == pytest.approx(2, rel=0.01)


def test_feddyn_is_its_algorithm_1(tmp_path: Path) -> None:
    alpha = 0.3
    problem = Problem(tmp_path, {"name": "feddyn", "alpha": alpha})
    theta, h = problem.start, torch.zeros_like(problem.start)
    linear = [torch.zeros_like(h) for _ in range(CLIENTS)]
    for t in range(1, ROUNDS + 1):
        P = problem.cohort(t)
        reached = []
        for k in P:
            local = theta.clone()
            for rows, labels in problem.batches(k, t):
                local = local - LR * (problem.gradient(local, rows, labels) - linear[k] + alpha * (local - theta))
            linear[k] = linear[k] - alpha * (local - theta)
            reached.append(local)
        h = h - alpha / CLIENTS * sum(local - theta for local in reached)
        theta = sum(reached) / len(P) - h / alpha
    problem.assert_ends_at(theta)


@pytest.mark.parametrize("eps", [1e-3, 0.0])
def test_fedexp_is_its_algorithm_1(tmp_path: Path, eps: float) -> None:
    # Small steps on noise: the clients' ways are nearly orthogonal, and the server's step is longer than 1.
    problem = Problem(tmp_path, {"name": "fedexp", "eps": eps})
    w, rates = problem.start, []
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        ways = []
        for i in S:
            local = w.clone()
            for rows, labels in problem.batches(i, t):
                local = local - LR * problem.gradient(local, rows, labels)
            ways.append(w - local)
        mean = sum(ways) / len(S)
        rates.append(max(1.0, float(sum(way @ way for way in ways) / (2 * len(S) * (mean @ mean + eps)))))
        w = w - rates[-1] * mean
    assert max(rates) > 1
    assert [entry.get("server_lr") for entry in ran(problem.chosen, problem.prepared).rounds[1:]] == pytest.approx(
        rates
    )
    problem.assert_ends_at(w)


def test_moon_is_its_algorithm_1(tmp_path: Path) -> None:
    mu, tau = 2.0, 0.4
    problem = Problem(tmp_path, {"name": "moon", "mu": mu, "temperature": tau})
    network = problem.network

    def features(theta: Tensor, x: Tensor) -> Tensor:
        vector_to_parameters(theta, network.parameters())
        return torch.tanh(network.layers[0](x))

    w = problem.start
    previous: dict[int, Tensor] = {}
    pulled = 0.0
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        reached = []
        for i in S:
            local, before = w.clone(), previous.get(i, w)
            for x, y in problem.batches(i, t):
                z_global, z_previous = features(w, x).detach(), features(before, x).detach()
                z = features(local, x)
                near, far = F.cosine_similarity(z, z_global), F.cosine_similarity(z, z_previous)
                up, down = torch.exp(near / tau), torch.exp(far / tau)
                contrast = -torch.log(up / (up + down)).mean()
                loss = F.cross_entropy(network.layers[1](z), y) + mu * contrast
                gradients = torch.autograd.grad(loss, list(network.parameters()))
                local = local - LR * parameters_to_vector(gradients)
                pulled = max(pulled, float((contrast.detach() - np.log(2)).abs()))
            previous[i] = local
            reached.append(local)
        n = sum(SIZES[i] for i in S)
        w = sum(SIZES[i] / n * local for i, local in zip(S, reached, strict=True))
    assert pulled > 1e-3
    problem.assert_ends_at(w)


def test_the_geometric_median_is_the_smoothed_weiszfeld_algorithm(tmp_path: Path) -> None:
    problem = Problem(tmp_path, {"name": "geometricmedian", "iterations": 4, "smoothing": 0.02})
    w = problem.start
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        reached = []
        for i in S:
            local = w.clone()
            for rows, labels in problem.batches(i, t):
                local = local - LR * problem.gradient(local, rows, labels)
            reached.append(local)
        alphas = [SIZES[i] / sum(SIZES[j] for j in S) for i in S]
        v = sum(alpha * local for alpha, local in zip(alphas, reached, strict=True))
        for _ in range(4):
            betas = [alpha / max(0.02, float((v - local).norm())) for alpha, local in zip(alphas, reached, strict=True)]
            v = sum(beta * local for beta, local in zip(betas, reached, strict=True)) / sum(betas)
        w = v
    problem.assert_ends_at(w)


def test_centralized_is_one_client_with_the_rows_of_the_cohort(tmp_path: Path) -> None:
    problem = Problem(tmp_path / "many", "centralized")
    theta = problem.start
    for t in range(1, ROUNDS + 1):
        S = problem.cohort(t)
        pool = np.concatenate([problem.prepared.training_examples(i) for i in S])

        class WorkerPool:
            def training_examples(self, client: int, pool: np.ndarray = pool) -> np.ndarray:
                return pool

        for rows in batches_of(problem.chosen, WorkerPool(), S[0], t):  # type: ignore[arg-type]
            x, y = torch.tensor(problem.prepared.x[rows]), torch.tensor(problem.prepared.y[rows])
            theta = theta - LR * problem.gradient(theta, x, y)
    problem.assert_ends_at(theta)


def test_rows_do_not_travel_to_be_pooled(tmp_path: Path) -> None:
    problem = Problem(tmp_path, "centralized")
    data = str(problem.prepared.folder)
    hosts: list[Any] = [{"data-dir": data, "partition-id": host, "num-partitions": 2} for host in (0, 1)]
    rounds = Rounds(LocalGrid("clients.app:app", hosts, {}), problem.chosen, problem.prepared, [])
    with pytest.raises(hothouse.InputError, match="examples do not travel"):
        rounds.run()


EQUAL = [16] * CLIENTS


def end(folder: Path, strategy: Any, sizes: list[int], cohort: int = COHORT, **training: Any) -> np.ndarray:
    """Where a run ends, as one vector."""
    problem = Problem(folder, strategy, sizes, cohort, **training)
    return np.concatenate([a.ravel() for a in named(ran(problem.chosen, problem.prepared).model.network).values()])


@pytest.mark.parametrize(
    ("strategy", "sizes"),
    [
        ({"name": "fedprox", "mu": 0.0}, SIZES),
        ({"name": "fednova"}, EQUAL),
        ({"name": "moon", "mu": 0.0}, SIZES),
        ({"name": "fedexp", "eps": 1e9}, EQUAL),
        ({"name": "geometricmedian", "smoothing": 1e9}, SIZES),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_without_its_remedy_it_is_fedavg(tmp_path: Path, strategy: Any, sizes: list[int]) -> None:
    momentum = {"name": "sgd", "lr": LR, "momentum": 0.9}
    one, other = (end(tmp_path / str(s), s, sizes, optimizer=momentum) for s in (strategy, "fedavg"))
    assert np.abs(one - other).max() < 1e-12


@pytest.mark.parametrize("strategy", ["scaffold", "fednova", "fedexp", "geometricmedian", "centralized"])
def test_with_one_client_it_is_plain_local_training(tmp_path: Path, strategy: str) -> None:
    one, other = (end(tmp_path / s, s, [23], cohort=1) for s in (strategy, "fedavg"))
    assert np.abs(one - other).max() < 1e-12


@pytest.mark.parametrize("strategy", ["scaffold", "fednova", "centralized"])
def test_with_one_full_batch_of_everyone_it_is_gradient_descent_on_the_pooled_data(
    tmp_path: Path, strategy: str
) -> None:
    whole = {"epochs": 1, "batch_size": "full"}
    one, other = (end(tmp_path / s, s, EQUAL, CLIENTS, **whole) for s in (strategy, "fedavg"))
    assert np.abs(one - other).max() < 1e-12


def test_the_geometric_median_does_not_follow_a_few_that_went_astray() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(size=(7, 5)), rng.normal(size=(3, 5)) * 1e3 + 1e4])
    weights = np.full(10, 0.1)
    median = weiszfeld(points, weights, 200, 1e-9, 1e-9).median
    best = minimize(lambda v: np.linalg.norm(points - v, axis=1).sum(), points[0], method="Nelder-Mead", tol=1e-12)
    assert np.abs(median - best.x).max() < 1e-2
    assert np.linalg.norm(median) < 10
    assert np.linalg.norm(points.mean(axis=0)) > 1e3


def test_the_geometric_median_goes_on_until_it_has_converged() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20, 30))
    points[:9] += 1e3
    weights = np.full(20, 0.05)
    found = weiszfeld(points, weights, 1000, 1e-6, 1e-9)
    assert 50 < found.steps < 1000
    least = minimize(
        lambda v: np.linalg.norm(points - v, axis=1).mean(), points[9:].mean(axis=0), method="BFGS", tol=1e-9
    )
    assert np.linalg.norm(points - found.median, axis=1).mean() <= least.fun * (1 + 2e-6)
    assert np.abs(found.median - least.x).max() < 0.01
    early = weiszfeld(points, weights, 20, 1e-6, 1e-9)
    assert early.gradient > 1e-6
    assert np.linalg.norm(early.median - least.x) > 1


def test_a_geometric_median_that_does_not_converge_is_told(tmp_path: Path) -> None:
    problem = Problem(tmp_path, {"name": "geometricmedian", "iterations": 1})
    watcher = ran(problem.chosen, problem.prepared)
    told = [details for event, details in watcher.events if event == "not converged"]
    assert len(told) == ROUNDS
    assert "did not converge in 1 steps" in told[0]["reason"]


LINEAR = ["scaffold", "fednova", "feddyn", "fedexp", "moon", "centralized"]


@pytest.mark.parametrize("strategy", LINEAR)
def test_the_server_gets_one_sum_for_each_block(tmp_path: Path, strategy: str) -> None:
    problem, seen = Problem(tmp_path, strategy), []

    class Listening(LocalGrid):
        def wait(self, message_ids: Iterable[str], timeout: float | None = None) -> list[Message]:
            replies = super().wait(message_ids, timeout)
            seen.extend(TrainReply.read(r.content) for r in replies if r.metadata.message_type == "train")
            return replies

    grid = Listening("clients.app:app", [{"data-dir": str(problem.prepared.folder)}], {})
    Rounds(grid, problem.chosen, problem.prepared, []).run()
    assert seen
    for reply in seen:
        assert not reply.rows
        assert not reply.state
        assert {len(array) for arrays in reply.sums.values() for array in arrays.values()} == {len(reply.blocks.sizes)}
        assert {array.shape for array in reply.metrics.values()} == {reply.blocks.clients.shape}


def small(strategy: str, *more: str) -> list[str]:
    """What makes the quickstart a short run of a strategy."""
    return ["federation.rounds=4", "training.epochs=1", f"federation.strategy={strategy}", *more]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [*LINEAR, "geometricmedian"])
def test_killed_and_resumed_it_ends_with_the_same_bits(quickstart: Path, tmp_path: Path, strategy: str) -> None:
    assert_resumes(quickstart, tmp_path, small(strategy))


@pytest.mark.slow
@pytest.mark.usefixtures("two_workers")
@pytest.mark.parametrize("strategy", ["scaffold", "centralized"])
def test_workers_change_no_bit(quickstart: Path, tmp_path: Path, strategy: str) -> None:
    local = hothouse.run(quickstart, overrides=small(strategy), engine="local", out=tmp_path / "local")
    assert_same(hothouse.run(quickstart, overrides=small(strategy), workers=2, out=tmp_path / "ray"), local)


@pytest.mark.parametrize("strategy", sampled(LINEAR, "scaffold"))
def test_it_trains_with_all_that_training_can_do(tmp_path: Path, strategy: str) -> None:
    """Batch normalization, kept momentum, early stopping, and a first round in which nobody moves."""
    overrides = small(
        strategy,
        "model.normalization=batch",
        "model.dropout=0.1",
        "training.epochs=3",
        "training.optimizer_state=client",
        "training.early_stopping={patience: 1}",
        "training.mixup=0.3",
        "training.clip_norm=5.0",
        "training.schedule=[{name: warmup, by: round, start: 0.0, length: 2}]",
    )
    run = hothouse.run(REPOSITORY / "scenarios/quickstart.yaml", overrides=overrides, engine="local", out=tmp_path)
    assert run.metrics.test_accuracy.iloc[-1] > run.metrics.test_accuracy.iloc[0] + 0.2


@pytest.mark.parametrize("strategy", ["scaffold", "fednova", "centralized"])
def test_clients_that_go_astray_end_the_run_with_a_word_on_it(quickstart: Path, tmp_path: Path, strategy: str) -> None:
    far = small(strategy, "training.optimizer.lr=1e30")
    with pytest.raises(hothouse.RunError, match="usable reply"):
        hothouse.run(quickstart, overrides=far, engine="local", out=tmp_path / "run")
