"""Client-level differential privacy: clipping, noise, what it costs, and where it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from dp_accounting import GaussianDpEvent, NeighboringRelation, SampledWithoutReplacementDpEvent
from dp_accounting.rdp import RdpAccountant
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp import strategy as flwr
from scipy.optimize import brentq
from scipy.stats import chisquare, kstest
from scipy.stats import norm as norm_

import hothouse
from clients.training.privacy import Clipping
from common import seeds
from common.arrays import NamedArrays, pack
from common.data import Prepared
from common.extend.results import BlockResult
from common.extend.strategy import RoundStart, StrategyContext
from common.methods.flower.server import ALONE, fedavg
from common.scenario import Scenario
from common.scenario.privacy import Privacy
from common.selection.rules import PoissonRule, select
from hothouse.running.progress import privacy_lines
from server.accounting import PrivacyMechanism
from server.exchange.blocks import cut
from server.grid.local import LocalGrid
from server.privacy import PrivateStrategy
from server.rounds import Rounds
from tests.command import command
from tests.federations import Watcher, federation, named, ran, scenario, starting_weights, trained_alone
from tests.resuming import assert_resumes
from tests.server.test_flower_strategies import OneNode

SIZES = [23, 5, 40, 11, 16, 17, 33, 2]


def chosen(privacy: dict[str, Any] | None, **federation: Any) -> Scenario:
    """Three rounds of seven of eight clients in double precision."""
    return scenario(
        seed=5,
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
        model={"layers": [7], "dtype": "float64"},
        training={"epochs": 2, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1}},
        federation={"rounds": 3, "clients_per_round": 7, "blocks": 3, "privacy": privacy, **federation},
    )


def changes(settings: Scenario, prepared: Prepared, weights: NamedArrays, number: int) -> list[NamedArrays]:
    """What each client of a round changes, trained alone."""
    cohort = select(5, number, 8, 7).tolist()
    trained = [trained_alone(settings, prepared, client, weights, number)[0] for client in cohort]
    return [{name: one[name] - weights[name] for name in weights} for one in trained]


def norm(change: NamedArrays) -> float:
    return float(np.sqrt(sum((array**2).sum() for array in change.values())))


def assert_close(watcher: Watcher, expected: NamedArrays) -> None:
    for name, array in named(watcher.model.network).items():
        assert np.abs(array - expected[name]).max() <= 1e-12, name


def test_without_noise_it_is_flowers_fixed_clipping_client_by_client(tmp_path: Path) -> None:
    prepared = federation(tmp_path, SIZES)
    settings = chosen({"clipping_norm": 0.1, "noise_multiplier": 0.0})
    wrapped = flwr.DifferentialPrivacyServerSideFixedClipping(flwr.FedAvg(**ALONE), 0.0, 0.1, 7)
    watcher = ran(settings, prepared)
    weights = named(starting_weights(settings, prepared))
    for number in (1, 2, 3):
        (asked,) = wrapped.configure_train(number, pack(weights), ConfigRecord(), cast(Grid, OneNode()))
        replies = []
        for change in changes(settings, prepared, weights, number):
            arrays = ArrayRecord({name: Array(weights[name] + change[name]) for name in weights})
            content = RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": 1})})
            replies.append(Message(content, reply_to=asked))
        clipped = sum(norm(change) > 0.1 for change in changes(settings, prepared, weights, number))
        assert 0 < watcher.rounds[number]["clipped"] == pytest.approx(clipped / 7)
        aggregated, _ = wrapped.aggregate_train(number, replies)
        assert aggregated is not None
        weights = {name: array.numpy() for name, array in aggregated.items()}
    assert_close(watcher, weights)


def test_a_norm_that_nobody_reaches_and_no_noise_is_fedavg_of_equals(tmp_path: Path) -> None:
    prepared = federation(tmp_path, [16] * 8)
    watcher = ran(chosen({"clipping_norm": 1e6, "noise_multiplier": 0.0}), prepared)
    assert_close(watcher, named(ran(chosen(None), prepared).model.network))
    assert "epsilon" not in watcher.rounds[1]


@pytest.mark.parametrize("z", [0.0, 0.6])
def test_adaptive_clipping_equals_a_literal_transcription(tmp_path: Path, z: float) -> None:
    """Andrew et al. 2021, algorithm 1, with FedAvg in place of its server momentum."""
    prepared = federation(tmp_path, SIZES)
    adaptive = {"quantile": 0.4, "lr": 0.5, "count_noise": 0.4}
    settings = chosen({"clipping_norm": 0.1, "noise_multiplier": z, "adaptive": adaptive})
    watcher = ran(settings, prepared)
    theta, C, sigma_b, gamma, eta_C, m = named(starting_weights(settings, prepared)), 0.1, 0.4, 0.4, 0.5, 7
    z_delta = (z**-2 - (2 * sigma_b) ** -2) ** -0.5 if z else 0.0
    norms = []
    for t in (1, 2, 3):
        norms.append(C)
        sigma_delta = z_delta * C
        total = {name: np.zeros_like(array) for name, array in theta.items()}
        b = 0
        for delta in changes(settings, prepared, theta, t):
            b += norm(delta) <= C
            for name in total:
                total[name] += delta[name] * min(1, C / norm(delta))
        draw = seeds.generator(5, "privacy", t)
        theta = {n: theta[n] + (total[n] + sigma_delta * draw.standard_normal(total[n].shape)) / m for n in theta}
        b_tilde = (b + seeds.generator(5, "privacy count", t).normal(0, sigma_b)) / m
        C = C * np.exp(-eta_C * (b_tilde - gamma))
    assert [entry["clipping_norm"] for entry in watcher.rounds[1:]] == pytest.approx(norms, rel=1e-12)
    assert_close(watcher, theta)


class TestCentralNoise:
    def private(self, **options: Any) -> PrivateStrategy:
        settings = chosen(options)
        unused: Any = None
        context = StrategyContext(settings, np.arange(40), np.full(40, 4), unused, unused, unused)
        inner = fedavg(settings.federation.strategy, context)
        assert settings.federation.privacy is not None
        return PrivateStrategy(settings.federation.privacy, context, inner)

    def outcome(self, number: int, blocks: int = 1, **options: Any) -> np.ndarray:
        """The mean of forty clients that change nothing: their noise."""
        private, cohort = self.private(**options), np.arange(40)
        start = RoundStart(number, {"w": np.zeros(5000)}, {}, cohort, np.empty(0))
        private.instruct(start)
        results = []
        for block in cut(cohort, np.full(40, 4), blocks):
            many = len(block.clients)
            told = {"examples": np.full(many, 4.0), "train_loss": np.ones(many), "unclipped": np.ones(many)}
            sums: dict[str, NamedArrays] = {"parameters": {"w": np.zeros(5000)}}
            results.append(BlockResult(block, float(many), sums, {}, told, {}))
        return private.aggregate(start, results).parameters["w"]

    def test_it_has_standard_deviation_z_c_in_the_sum(self) -> None:
        noise = self.outcome(1, noise_multiplier=0.8, clipping_norm=2.5)
        assert kstest(noise, "norm", args=(0, 0.8 * 2.5 / 40)).pvalue > 0.01

    def test_it_is_drawn_for_the_round_whatever_the_blocks(self) -> None:
        one = self.outcome(1, noise_multiplier=0.8)
        assert np.array_equal(one, self.outcome(1, blocks=16, noise_multiplier=0.8))
        assert abs(np.corrcoef(one, self.outcome(2, noise_multiplier=0.8))[0, 1]) < 0.06

    def test_what_the_count_costs_is_added_to_the_changes(self) -> None:
        noise = self.outcome(1, noise_multiplier=0.8, adaptive={"count_noise": 0.5})
        assert kstest(noise, "norm", args=(0, (0.8**-2 - 1.0**-2) ** -0.5 / 40)).pvalue > 0.01


class TestLocalNoise:
    def clipped(self, clients: list[int], number: int = 1, deviation: float = 0.5) -> torch.Tensor:
        terms = {"clipping_norm": np.array(1.0), "local_noise": np.array(deviation)}
        order: Any = type("Order", (), {"records": {"privacy": terms}, "round": number})
        flat = torch.ones(len(clients), 4000, dtype=torch.float64)
        Clipping(order, seed=3)(np.array(clients), flat, torch.ones(1, 4000, dtype=torch.float64))
        return flat - 1

    def test_it_has_its_standard_deviation_in_each_change(self) -> None:
        noise = self.clipped([7])[0].numpy()
        assert kstest(noise, "norm", args=(0, 0.5)).pvalue > 0.01

    def test_it_is_drawn_for_the_round_and_the_client(self) -> None:
        together = self.clipped([7, 2, 9])
        assert torch.equal(together[1], self.clipped([2])[0])
        assert not torch.equal(together[0], together[1])
        assert not torch.equal(together[0], self.clipped([7], number=2)[0])

    def test_clients_send_it(self, tmp_path: Path) -> None:
        prepared = federation(tmp_path, SIZES)
        quiet = ran(chosen({"noise_multiplier": 0.0}, rounds=1), prepared)
        noisy = ran(chosen({"noise_multiplier": 0.5, "noise": "local"}, rounds=1), prepared)
        cohort = select(5, 1, 8, 7).tolist()
        draws = [seeds.torch_generator(5, "privacy", 1, client) for client in cohort]
        size = sum(array.size for array in named(quiet.model.network).values())
        expected = sum(torch.randn(size, generator=draw, dtype=torch.float64) for draw in draws) / 7 * 0.5
        one, other = (torch.cat([a.flatten() for a in w.model.network.state_dict().values()]) for w in (noisy, quiet))
        assert (one - other - expected).abs().max() <= 1e-12


def gaussian(mu: float, delta: float) -> float:
    """ε of a Gaussian mechanism that moves by μ standard deviations (Balle and Wang 2018, theorem 8)."""

    def excess(eps: float) -> float:
        return float(norm_.cdf(mu / 2 - eps / mu) - np.exp(eps + norm_.logcdf(-mu / 2 - eps / mu)) - delta)

    return float(brentq(excess, 0, 500))


def sampled(z: float, rate: float, releases: int, delta: float) -> float:
    """ε of one number from N(0, z²) against (1 − q) N(0, z²) + q N(1, z²), likelihoods summed on a grid."""
    x = np.linspace(-8 * z, 1 + 8 * z, 1501)
    without = norm_.pdf(x, 0, z)
    with_ = (1 - rate) * without + rate * norm_.pdf(x, 1, z)
    p, q = with_, without
    for _ in range(releases - 1):
        p, q = np.outer(p, with_).ravel(), np.outer(q, without).ravel()
    cell = (x[1] - x[0]) ** releases

    def excess(eps: float) -> float:
        both = (np.maximum(one - np.exp(eps) * other, 0).sum() * cell for one, other in ((p, q), (q, p)))
        return max(both) - delta

    return float(brentq(excess, 0, 50))


class TestEpsilon:
    """Each ε belongs to a relation between neighbours, and is what a likelihood ratio in one dimension says."""

    def mechanism(self, **options: Any) -> PrivacyMechanism:
        return PrivacyMechanism(**{"noise_multiplier": 1.0, "delta": 1e-5, **options})

    def told(self, mechanism: PrivacyMechanism, releases: int = 1) -> dict[str, tuple[float, str]]:
        return {one.relation: (one.epsilon, one.accountant) for one in mechanism.statements(releases)}

    @pytest.mark.parametrize(("z", "releases"), [(1.0, 1), pytest.param(2.0, 10, marks=pytest.mark.slow)])
    def test_a_fixed_cohort_moves_by_c_for_zero_and_by_2c_for_another(self, z: float, releases: int) -> None:
        found = self.told(self.mechanism(noise_multiplier=z), releases)
        mu = releases**0.5 / z
        assert found["zeroed_out"] == (pytest.approx(gaussian(mu, 1e-5), rel=1e-4), "PLD")
        assert found["replaced"] == (pytest.approx(gaussian(2 * mu, 1e-5), rel=1e-4), "PLD")
        assert "added_or_removed" not in found, "who is added takes another's place"

    def test_in_a_cohort_of_one_of_two_a_client_left_out_is_one_replaced(self) -> None:
        # Without the first client the second one is drawn for sure; their changes are 1 and −1, the noise 1.
        x = np.linspace(-12, 12, 200_001)
        both, other = 0.5 * norm_.pdf(x, 1) + 0.5 * norm_.pdf(x, -1), norm_.pdf(x, -1)
        mechanism = self.mechanism()

        def delta(eps: float) -> float:
            return float(np.maximum(both - np.exp(eps) * other, 0).sum() * (x[1] - x[0]))

        assert delta(mechanism.rounds(1)["zeroed_out"]) == pytest.approx(1.0e-2, rel=0.05), "not what is promised"
        assert delta(self.told(mechanism)["replaced"][0]) <= 1e-5

    @pytest.mark.parametrize(
        ("z", "rate", "releases"),
        [
            (1.0, 0.1, 1),
            pytest.param(0.8, 0.3, 1, marks=pytest.mark.slow),
            pytest.param(1.0, 0.2, 2, marks=pytest.mark.slow),
        ],
    )
    def test_poisson_sampling_is_for_a_client_added_or_removed(self, z: float, rate: float, releases: int) -> None:
        found = self.told(self.mechanism(noise_multiplier=z, rate=rate), releases)
        expected = sampled(z, rate, releases, 1e-5)
        assert found == {"added_or_removed": (pytest.approx(expected, rel=2e-3), "PLD")}
        assert self.mechanism(noise_multiplier=z, rate=rate).rounds(releases)["added_or_removed"] > expected

    def test_noise_of_a_clients_own_hides_one_change_against_another(self) -> None:
        found = self.told(self.mechanism(local=True))
        assert found == {"replaced": (pytest.approx(gaussian(2.0, 1e-5), rel=1e-4), "PLD")}
        assert found["replaced"][0] == pytest.approx(10.0, abs=0.01)
        assert self.mechanism(local=True).rounds(1)["replaced"] == pytest.approx(10.73, abs=0.01)

    def test_a_secret_cohort_takes_the_smaller_of_two_bounds(self) -> None:
        few, all_ = self.mechanism(noise_multiplier=4.0, secret=(2, 8)), self.mechanism(secret=(8, 8))
        event = SampledWithoutReplacementDpEvent(8, 2, GaussianDpEvent(2.0))
        accountant = RdpAccountant(neighboring_relation=NeighboringRelation.REPLACE_ONE)
        accountant.compose(event, 5)
        assert self.told(few, 5)["replaced"] == (pytest.approx(accountant.get_epsilon(1e-5), rel=1e-12), "RDP")
        assert self.told(all_)["replaced"] == (pytest.approx(gaussian(2.0, 1e-5), rel=1e-4), "PLD")

    def test_an_epsilon_that_promises_nothing_is_not_computed_to_the_last_digit(self) -> None:
        found = self.told(self.mechanism(noise_multiplier=0.02))
        assert {accountant for _, accountant in found.values()} == {"RDP"}

    def test_it_grows_round_by_round(self, tmp_path: Path) -> None:
        watcher = ran(chosen({"noise_multiplier": 2.0, "delta": 1e-4}), federation(tmp_path, SIZES))
        for relation, multiplier in (("zeroed_out", 2.0), ("replaced", 1.0)):
            accountant, expected = RdpAccountant(), []
            for _ in range(3):
                accountant.compose(GaussianDpEvent(multiplier))
                expected.append(accountant.get_epsilon(1e-4))
            assert [entry[f"epsilon_{relation}"] for entry in watcher.rounds[1:]] == pytest.approx(expected, rel=1e-9)
        assert (watcher.rounds[1]["delta"], watcher.rounds[3]["releases"]) == (1e-4, 3)

    def test_with_local_noise_it_is_that_of_whoever_took_part_most_often(self, tmp_path: Path) -> None:
        privacy = {"noise_multiplier": 2.0, "noise": "local"}
        watcher = ran(chosen(privacy, rounds=5, clients_per_round=2), federation(tmp_path, SIZES))
        often = max(np.bincount(np.concatenate([select(5, t, 8, 2) for t in range(1, 6)])))
        assert watcher.rounds[5]["releases"] == often < 5


class TestPoisson:
    def test_each_client_takes_part_with_the_same_probability(self) -> None:
        settings = scenario(federation={"selection": {"name": "poisson", "rate": 0.3}})
        unused: Any = None
        context = StrategyContext(settings, np.arange(50), np.full(50, 4), unused, unused, unused)
        rule = PoissonRule(settings.federation.selection, context, 50)
        rounds = np.zeros((400, 50), dtype=bool)
        for number in range(400):
            rounds[number, rule.cohort(number, {})] = True
        assert chisquare(rounds.sum(axis=0)).pvalue > 0.01
        sizes = rounds.sum(axis=1)
        assert sizes.mean() == pytest.approx(15, abs=0.5)
        assert sizes.var() == pytest.approx(50 * 0.3 * 0.7, rel=0.2), "binomial: no fixed size"
        assert abs(np.corrcoef(rounds[:-1].ravel(), rounds[1:].ravel())[0, 1]) < 0.02

    def test_a_round_without_clients_adds_noise_and_steps(self, tmp_path: Path) -> None:
        prepared = federation(tmp_path, SIZES)
        settings = chosen(
            {"noise_multiplier": 0.5, "clipping_norm": 0.2, "adaptive": {"count_noise": 1.0, "quantile": 0.7}},
            rounds=1,
            clients_per_round=1.0,
            selection={"name": "poisson", "rate": 1e-9},
        )
        watcher, m = ran(settings, prepared), 8e-9
        assert watcher.rounds[1]["clients"] == 0
        draw, start = seeds.generator(5, "privacy", 1), named(starting_weights(settings, prepared))
        multiplier = (0.5**-2 - 2.0**-2) ** -0.5
        expected = {
            name: array + multiplier * 0.2 * draw.standard_normal(array.shape) / m for name, array in start.items()
        }
        for name, array in named(watcher.model.network).items():
            assert np.allclose(array, expected[name], rtol=1e-9), name

    def test_without_privacy_a_round_without_clients_leaves_the_weights(self, tmp_path: Path) -> None:
        prepared = federation(tmp_path, SIZES)
        for strategy in ("fedavg", "fedadam", "qfedavg", "scaffold", "fedmedian"):
            settings = chosen(
                None, clients_per_round=1.0, strategy=strategy, selection={"name": "poisson", "rate": 1e-9}
            )
            watcher = ran(settings, prepared)
            assert [entry["clients"] for entry in watcher.rounds] == [0, 0, 0, 0]
            for name, array in named(watcher.model.network).items():
                assert np.array_equal(array, named(starting_weights(settings, prepared))[name])

    def test_the_mean_is_over_what_is_expected_of_the_cohort(self, tmp_path: Path) -> None:
        prepared = federation(tmp_path, SIZES)
        settings = chosen(
            {"noise_multiplier": 0.0, "clipping_norm": 0.1},
            rounds=1,
            clients_per_round=1.0,
            selection={"name": "poisson", "rate": 0.4},
        )
        watcher, start = ran(settings, prepared), named(starting_weights(settings, prepared))
        cohort = np.flatnonzero(seeds.generator(5, "selection", 1).random(8) < 0.4)
        assert watcher.cohorts == [cohort.tolist()]
        assert len(cohort) != 8 * 0.4
        total = {name: np.zeros_like(array) for name, array in start.items()}
        for client in cohort.tolist():
            trained, _ = trained_alone(settings, prepared, client, start, 1)
            change = {name: trained[name] - start[name] for name in start}
            for name in total:
                total[name] += change[name] * min(1, 0.1 / norm(change))
        assert_close(watcher, {name: start[name] + total[name] / (8 * 0.4) for name in start})


def test_a_client_that_does_not_answer_counts_as_one_that_changed_nothing(tmp_path: Path) -> None:
    """The sum is divided by the size of the cohort, never by the number of answers, which depends on the data."""
    prepared = federation(tmp_path, SIZES)
    settings = chosen({"noise_multiplier": 0.0, "clipping_norm": 0.1}, rounds=1)
    start, cohort = named(starting_weights(settings, prepared)), select(5, 1, 8, 7).tolist()
    faults = json.dumps([{"what": "nan", "client": cohort[2]}])
    watcher = Watcher()
    grid = LocalGrid("clients.app:app", [{"data-dir": str(prepared.folder), "faults": faults}], {})
    Rounds(grid, settings, prepared, [watcher]).run()
    assert watcher.rounds[1]["clients"] == 6
    answered = [change for place, change in enumerate(changes(settings, prepared, start, 1)) if place != 2]
    for name, array in named(watcher.model.network).items():
        total = sum(change[name] * min(1, 0.1 / norm(change)) for change in answered)
        assert np.abs(array - (start[name] + total / 7)).max() < 1e-12


def test_validate_and_report_name_the_relation_and_what_is_not_covered(tmp_path: Path) -> None:
    settings = {
        "data": {"source": {"kind": "sklearn", "name": "digits"}, "partition": {"scheme": "iid", "clients": 30}},
        "federation": {
            "rounds": 2,
            "selection": {"name": "poisson", "rate": 0.2},
            "privacy": {"noise_multiplier": 1.0},
        },
        "evaluation": {"every": 2},
    }
    path = tmp_path / "private.yaml"
    path.write_text(json.dumps(settings))
    run = hothouse.run(path, engine="local", out=tmp_path / "run")
    (told,) = run.summary["privacy"]
    assert told["epsilon"] == pytest.approx(sampled(1.0, 0.2, 2, 1e-5), rel=2e-3)
    words = f"ε = {told['epsilon']:.4g} at δ = 1e-05 for a client added or removed (PLD accountant)"
    assert f"privacy: after 2 rounds {words}" in command("validate", str(path)).stdout
    assert privacy_lines(run) == [f"Privacy: {words}"]
    page = run.report().read_text()
    assert "a client added or removed" in page
    assert "metrics.jsonl and clients.jsonl, which tell who took part" in page


ALL = ["federation.clients_per_round=7"]
POISSON = ["federation.selection={name: poisson, rate: 0.1}"]


@pytest.mark.parametrize(
    ("strategy", "privacy", "selection"),
    [
        pytest.param(
            "fedadam", {"adaptive": {"count_noise": 2.0}, "noise_multiplier": 1.0}, ALL, marks=pytest.mark.slow
        ),
        pytest.param("fedavg", {"noise": "local", "noise_multiplier": 0.1}, ALL, marks=pytest.mark.slow),
        pytest.param("fedavg", {"noise_multiplier": 0.1}, POISSON, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_ends_with_the_same_bits(
    npz: Path, tmp_path: Path, strategy: str, privacy: dict[str, Any], selection: list[str]
) -> None:
    settings = {"data": {"source": {"kind": "npz", "path": str(npz)}, "partition": "iid"}, "model": {"layers": [5]}}
    options = [f"federation.strategy={strategy}", f"federation.privacy={json.dumps(privacy)}"]
    assert_resumes(settings, tmp_path, ["federation.rounds=4", *selection, *options], [3])


def test_the_noise_for_a_private_count_must_leave_some_for_the_changes() -> None:
    Privacy(noise_multiplier=1.0, adaptive={"count_noise": 0.6}).check_cohort(10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"more than half the noise_multiplier 1; it is 0\.5 for 10"):
        Privacy(noise_multiplier=1.0, adaptive={}).check_cohort(10)  # type: ignore[arg-type]
