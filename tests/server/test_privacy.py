"""Client-level differential privacy: clipping, noise, what it costs, and where it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp import strategy as flwr
from scipy.stats import kstest

from clients.training.privacy import Clipping
from common import seeds
from common.arrays import Named, pack
from common.data import Prepared
from common.scenario import Scenario
from common.scenario.privacy import Privacy
from server.exchange.blocks import cut
from server.exchange.results import BlockResult
from server.privacy import Private
from server.selection import select
from server.strategies import STRATEGIES
from server.strategies.base import Surroundings
from server.strategies.flower import ALONE
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


def changes(settings: Scenario, prepared: Prepared, weights: Named, number: int) -> list[Named]:
    """What each client of a round changes, trained alone."""
    cohort = select(5, number, 8, 7).tolist()
    trained = [trained_alone(settings, prepared, client, weights, number)[0] for client in cohort]
    return [{name: one[name] - weights[name] for name in weights} for one in trained]


def norm(change: Named) -> float:
    return float(np.sqrt(sum((array**2).sum() for array in change.values())))


def assert_close(watcher: Watcher, expected: Named) -> None:
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
    def private(self, **options: Any) -> Private:
        settings = chosen(options)
        unused: Any = None
        surroundings = Surroundings(settings, np.arange(40), np.full(40, 4), unused, unused, unused)
        inner = STRATEGIES["fedavg"](settings.federation.strategy, surroundings)
        assert settings.federation.privacy is not None
        return Private(settings.federation.privacy, surroundings, inner)

    def outcome(self, number: int, blocks: int = 1, **options: Any) -> np.ndarray:
        """The mean of forty clients that change nothing: their noise."""
        private, cohort = self.private(**options), np.arange(40)
        private.instruct(number, pack({"w": np.zeros(5000)}), {}, cohort)
        results = []
        for block in cut(cohort, np.full(40, 4), blocks):
            many = len(block.clients)
            told = {"examples": np.full(many, 4.0), "train_loss": np.ones(many), "unclipped": np.ones(many)}
            sums: dict[str, Named] = {"parameters": {"w": np.zeros(5000)}}
            results.append(BlockResult(block, float(many), sums, {}, told, {}))
        return private.aggregate(number, results).parameters["w"]

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


class TestEpsilon:
    """The accountant's own functions, called directly."""

    def rdp(self, events: Any, relation: str, delta: float) -> float:
        from dp_accounting import NeighboringRelation
        from dp_accounting.rdp import RdpAccountant

        accountant = RdpAccountant(neighboring_relation=getattr(NeighboringRelation, relation))
        accountant.compose(events)
        return float(accountant.get_epsilon(delta))

    def test_it_grows_round_by_round(self, tmp_path: Path) -> None:
        from dp_accounting import GaussianDpEvent, SelfComposedDpEvent

        watcher = ran(chosen({"noise_multiplier": 2.0, "delta": 1e-4}), federation(tmp_path, SIZES))
        expected = [
            self.rdp(SelfComposedDpEvent(GaussianDpEvent(2.0), t), "ADD_OR_REMOVE_ONE", 1e-4) for t in (1, 2, 3)
        ]
        assert [entry["epsilon"] for entry in watcher.rounds[1:]] == pytest.approx(expected, rel=1e-12)
        assert watcher.rounds[1]["delta"] == 1e-4

    def test_a_secret_uniform_cohort_is_counted_for_replacing_a_client(self, tmp_path: Path) -> None:
        from dp_accounting import GaussianDpEvent, SampledWithoutReplacementDpEvent

        privacy = {"noise_multiplier": 4.0, "accounting": "without-replacement"}
        watcher = ran(chosen(privacy, rounds=1, clients_per_round=2), federation(tmp_path, SIZES))
        event = SampledWithoutReplacementDpEvent(8, 2, GaussianDpEvent(2.0))
        assert watcher.rounds[1]["epsilon"] == pytest.approx(self.rdp(event, "REPLACE_ONE", 1e-5), rel=1e-12)

    def test_with_local_noise_it_is_that_of_whoever_took_part_most_often(self, tmp_path: Path) -> None:
        from dp_accounting import GaussianDpEvent, SelfComposedDpEvent

        privacy = {"noise_multiplier": 2.0, "noise": "local"}
        watcher = ran(chosen(privacy, rounds=5, clients_per_round=2), federation(tmp_path, SIZES))
        often = max(np.bincount(np.concatenate([select(5, t, 8, 2) for t in range(1, 6)])))
        assert often < 5
        event = SelfComposedDpEvent(GaussianDpEvent(2.0), int(often))
        assert watcher.rounds[5]["epsilon"] == pytest.approx(self.rdp(event, "ADD_OR_REMOVE_ONE", 1e-5), rel=1e-12)


@pytest.mark.parametrize(
    ("strategy", "privacy"),
    [
        ("fedadam", {"adaptive": {"count_noise": 2.0}, "noise_multiplier": 1.0}),
        ("fedavg", {"noise": "local", "noise_multiplier": 0.1}),
    ],
)
def test_killed_and_resumed_it_ends_with_the_same_bits(
    npz: Path, tmp_path: Path, strategy: str, privacy: dict[str, Any]
) -> None:
    settings = {"data": {"source": {"kind": "npz", "path": str(npz)}, "partition": "iid"}, "model": {"layers": [5]}}
    options = [f"federation.strategy={strategy}", f"federation.privacy={json.dumps(privacy)}"]
    assert_resumes(settings, tmp_path, ["federation.rounds=4", "federation.clients_per_round=7", *options], [3])


def test_the_noise_for_a_private_count_must_leave_some_for_the_changes() -> None:
    Privacy(noise_multiplier=1.0, adaptive={"count_noise": 0.6}).check_cohort(10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"more than half the noise_multiplier 1; it is 0\.5 for 10"):
        Privacy(noise_multiplier=1.0, adaptive={}).check_cohort(10)  # type: ignore[arg-type]
