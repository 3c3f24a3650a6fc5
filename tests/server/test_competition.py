"""Competition: networks are judged, and the best weights are spread by the rule of each mode."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hothouse
from clients.blocks.blocks import train_blocks
from common.extend.leaderboard import CHAMPION
from common.methods.competition.contest import Contest
from common.methods.competition.layerwise import layerwise
from common.methods.competition.means import best, top_k, weighted
from common.methods.competition.options import Competition as Options
from hothouse.inspect.check import check
from server.record.checkpoints import latest
from server.record.resume import read_lines
from tests.federations import federation, scenario, train_order

NAN = float("nan")
MODES = ["best", "top_k", "weighted", "tournament", "layerwise", "population"]


def contest(scores: list[float], judge: Any = None, **options: Any) -> Contest:
    """Networks of two layers whose weights are their places."""
    places = np.arange(len(scores), dtype=np.float64)
    models = {"layers.0.weight": places[:, None] * np.ones(2), "layers.1.weight": places[:, None] + 10}
    positions = np.arange(len(scores))
    return Contest(1, Options(**options), positions + 5, positions + 1, models, np.array(scores), judge)


class TestMeans:
    def test_the_winner_takes_all(self) -> None:
        verdict = best(contest([0.1, 0.9, 0.5]))
        assert verdict.weights["layers.1.weight"].tolist() == [11]
        assert verdict.shares.tolist() == [0, 1, 0]

    def test_of_equals_the_lower_id_wins_and_no_number_is_last(self) -> None:
        assert contest([NAN, 0.5, 0.7, 0.7, NAN]).ranking.tolist() == [2, 3, 1, 0, 4]
        assert best(contest([NAN, 0.7, 0.7])).shares.tolist() == [0, 1, 0]

    def test_the_k_best_are_averaged(self) -> None:
        verdict = top_k(contest([0.1, 0.9, 0.5, NAN], k=2))
        assert verdict.weights["layers.0.weight"].tolist() == [1.5, 1.5]
        everyone = top_k(contest([0.1, NAN, 0.5], k=9))
        assert everyone.shares.tolist() == [0.5, 0, 0.5], "those without a score spread nothing"

    def test_a_softmax_of_scores_weighs(self) -> None:
        scores = np.array([0.1, 0.9, 0.5])
        verdict = weighted(contest(scores.tolist(), temperature=0.25))
        expected = np.exp(scores / 0.25) / np.exp(scores / 0.25).sum()
        assert np.allclose(verdict.shares, expected)
        assert np.allclose(verdict.weights["layers.1.weight"], (expected * [10, 11, 12]).sum())
        assert np.allclose(weighted(contest([0.1, 0.9, NAN], temperature=1e-6)).shares, [0, 1, 0])
        assert np.allclose(weighted(contest([0.1, 0.9, 0.5], temperature=1e9)).shares, 1 / 3)

    def test_weights_that_are_no_numbers_do_not_spread(self) -> None:
        broken = contest([0.5, NAN])
        broken.models["layers.0.weight"][1] = NAN
        assert np.isfinite(weighted(broken).weights["layers.0.weight"]).all()


def test_layers_are_exchanged_only_where_the_combination_scores_better() -> None:
    def judge(models: dict[str, np.ndarray]) -> np.ndarray:
        # The best network has layer 0 of network 2 and layer 1 of network 0.
        return -np.abs(models["layers.0.weight"][:, 0] - 2) - np.abs(models["layers.1.weight"][:, 0] - 10)

    three = contest([0.0] * 3)
    scores = judge(three.models)
    verdict = layerwise(contest(scores.tolist(), judge))
    assert verdict.weights["layers.0.weight"].tolist() == [2, 2]
    assert verdict.weights["layers.1.weight"].tolist() == [10]
    assert verdict.shares.tolist() == [0.5, 0, 0.5]


def ran(quickstart: Path, folder: Path, strategy: str, *more: str, **options: Any) -> hothouse.Run:
    overrides = ["federation.rounds=4", "training.epochs=1", f"federation.strategy={strategy}", *more]
    return hothouse.run(quickstart, overrides=overrides, engine="local", out=folder, **options)


def spread(run: hothouse.Run) -> dict[str, np.ndarray]:
    """What the last round's clients would start the next from."""
    checkpoint = latest(run.folder / "checkpoints", lambda path, reason: None)
    assert checkpoint is not None
    return checkpoint.state.parameters


@pytest.mark.slow
def test_one_client_alone_is_plain_local_training(quickstart: Path, tmp_path: Path) -> None:
    alone = ["data.partition={scheme: iid, clients: 1}", "federation.clients_per_round=1", "model.dtype=float64"]
    plain = ran(quickstart, tmp_path / "plain", "fedavg", *alone)
    for mode in MODES:
        if mode == "population":
            continue  # Its settings are drawn, not the scenario's.
        competing = ran(quickstart, tmp_path / mode, f"{{name: competition, mode: {mode}}}", *alone)
        for name, tensor in competing.model.network.state_dict().items():
            assert np.allclose(tensor, plain.model.network.state_dict()[name], rtol=0, atol=1e-12), (mode, name)


def test_the_mean_of_the_whole_cohort_is_fedavg(quickstart: Path, tmp_path: Path) -> None:
    equal = [
        "data.partition={scheme: size, sizes: [50,50,50,50]}",
        "federation.clients_per_round=4",
        "model.dtype=float64",
    ]
    one = ran(quickstart, tmp_path / "one", "{name: competition, mode: top_k, k: 4}", *equal)
    other = ran(quickstart, tmp_path / "other", "fedavg", *equal)
    for name, array in spread(one).items():
        assert np.abs(array - spread(other)[name]).max() <= 1e-12, name
    assert set(spread(one)) == set(one.model.network.state_dict())


def test_a_tournament_of_two_is_winner_takes_all(quickstart: Path, tmp_path: Path) -> None:
    two = ["data.partition={scheme: iid, clients: 2}", "federation.clients_per_round=2"]
    one = ran(quickstart, tmp_path / "one", "{name: competition, mode: tournament}", *two)
    other = ran(quickstart, tmp_path / "other", "{name: competition, mode: best}", *two)
    for name, tensor in one.model.network.state_dict().items():
        assert np.array_equal(tensor, other.model.network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("mode", "judge"), [(mode, ("server", "clients")[place % 2]) for place, mode in enumerate(MODES)]
)
def test_every_mode_learns_and_tells_its_ladder(quickstart: Path, tmp_path: Path, mode: str, judge: str) -> None:
    run = ran(quickstart, tmp_path / "run", f"{{name: competition, mode: {mode}, judge: {judge}}}", "training.epochs=3")
    assert run.metrics.test_accuracy.iloc[-1] > run.metrics.test_accuracy.iloc[0] + 0.2
    ladder = read_lines(run.folder / "ladder.jsonl")
    assert [line["round"] for line in ladder] == [1, 2, 3, 4]
    for line, winner in zip(ladder, run.metrics.winner[1:], strict=True):
        assert len(line["clients"]) == 10
        assert line["metric"] == {"server": "validation_loss", "clients": "holdout_loss"}[judge]
        assert line["scores"] == sorted(line["scores"])
        assert sum(line["shares"]) == pytest.approx(1)
        heaviest = line["clients"][line["shares"].index(max(line["shares"]))]
        assert winner == (heaviest if line["reported"] is None else line["reported"])
    assert set(ladder[0]["parents"]) == {-1}


def test_the_final_weights_are_traced_back_to_round_0(quickstart: Path, tmp_path: Path) -> None:
    everyone = "federation.clients_per_round=1.0"
    run = ran(quickstart, tmp_path / "run", "{name: competition, mode: tournament}", everyone)
    ladder = read_lines(run.folder / "ladder.jsonl")
    wanted = int(run.metrics.winner.iloc[-1])
    for line in reversed(ladder):
        assert wanted in line["clients"]
        wanted = line["parents"][line["clients"].index(wanted)]
    assert wanted == -1


def test_networks_of_a_population_have_settings_of_their_own(quickstart: Path, tmp_path: Path) -> None:
    """Who adopts another's weights takes its settings too, each a step of the factor away, within its range."""
    ranges = {"optimizer.lr": (0.04, 0.06), "optimizer.momentum": (0.3, 0.9), "regularization.l2": (0.0005, 0.002)}
    options = {
        "name": "competition",
        "mode": "population",
        "replaced": 0.3,
        "settings": list(ranges),
        "ranges": {key: list(both) for key, both in ranges.items()},
    }
    changes = [
        "training.optimizer.momentum=0.5",
        "training.regularization.l2=0.001",
        "federation.clients_per_round=1.0",
    ]
    run = ran(quickstart, tmp_path / "run", json.dumps(options), "training.epochs=3", *changes)
    assert run.metrics.test_accuracy.iloc[-1] > 0.2
    ladder = read_lines(run.folder / "ladder.jsonl")
    for line, following in pairwise(ladder):
        adopts = dict(zip(line["clients"], line["adopts"], strict=True))
        assert sum(giver != client for client, giver in adopts.items()) == 6
        for key, (least, most) in ranges.items():
            old = dict(zip(line["clients"], line["settings"][key], strict=True))
            new = dict(zip(following["clients"], following["settings"][key], strict=True))
            assert all(least <= value <= most for value in old.values())
            for client, giver in adopts.items():
                steps = (1.2, 1 / 1.2) if client != giver else (1.0,)
                # A share moves by its distance from 1.
                moved = [1 - (1 - old[giver]) * f if "momentum" in key else old[giver] * f for f in steps]
                assert new[client] in [pytest.approx(min(max(value, least), most)) for value in moved]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("[batch_size]", "batch_size is none"),
        ("[epochs]", "epochs is none"),
        ("[mixup]", "mixup is none"),
        ("[loss.label_smoothing]", r"loss\.label_smoothing is none"),
        ("[stack]", "stack is none"),
        ("[optimizer.nothing]", r"optimizer\.nothing is none"),
        ("[optimizer.lrr]", r"did you mean optimizer\.lr\?"),
        ("[regularization.l2]", r"training\.regularization\.l2: expected a number above 0"),
        ("[clip_norm]", r"training\.clip_norm: expected a number above 0.*it is left out"),
    ],
)
def test_a_population_varies_only_what_clients_read(
    quickstart: Path, tmp_path: Path, settings: str, message: str
) -> None:
    strategy = f"{{name: competition, mode: population, settings: {settings}}}"
    with pytest.raises(hothouse.InputError, match=message):
        ran(quickstart, tmp_path / "wrong", strategy)


@pytest.mark.slow
def test_what_a_population_may_vary_changes_what_clients_train(tmp_path: Path) -> None:
    """Each setting that is offered is one that a client reads: another number gives other weights."""
    prepared = federation(tmp_path, [24, 24])
    training = {
        "epochs": 3,
        "batch_size": 8,
        "clip_norm": 0.5,
        "clip_value": 0.2,
        "regularization": {"l1": 0.01, "l2": 0.01, "weight_decay": 0.01, "l1_budget": 6.0, "l2_budget": 1.0},
    }
    for optimizer in (
        {"name": "sgd", "momentum": 0.5},
        {"name": "rmsprop", "momentum": 0.5},
        {"name": "adamw"},
        {"name": "adagrad", "initial": 0.1},
    ):
        chosen = scenario(model={"layers": [5]}, training={**training, "optimizer": optimizer})
        for setting in chosen.training.own_settings():
            value: Any = chosen.training
            for part in setting.split("."):
                value = getattr(value, part)
            vector = np.array([value, value * (0.3 if "budget" in setting or "clip" in setting else 1.5)])
            if setting.endswith(("momentum", "beta1", "beta2", "decay")) and value > 0.5:
                vector[1] = value / 2
            if setting.endswith("eps"):
                vector[1] = 0.1
            order = train_order(chosen, prepared, [[0], [1]], values={setting: vector})
            plain = train_order(chosen, prepared, [[0], [1]])
            changed, same = (train_blocks(prepared, one).sums["parameters"] for one in (order, plain))
            assert np.allclose(changed["layers.0.weight"][0], same["layers.0.weight"][0], atol=1e-5), setting
            assert not np.allclose(changed["layers.0.weight"][1], same["layers.0.weight"][1], atol=1e-5), setting


def test_batch_statistics_follow_their_network(quickstart: Path, tmp_path: Path) -> None:
    strategy = "{name: competition, mode: tournament}"
    run = ran(quickstart, tmp_path / "run", strategy, "model.normalization=batch", "training.epochs=3")
    assert run.metrics.test_accuracy.iloc[-1] > run.metrics.test_accuracy.iloc[0] + 0.2


def test_a_ladder_tells_who_adopted_whom(quickstart: Path, tmp_path: Path) -> None:
    options = "{name: competition, mode: tournament, score: accuracy}"
    run = ran(quickstart, tmp_path / "run", options, "federation.clients_per_round=1.0")
    for line, following in pairwise(read_lines(run.folder / "ladder.jsonl")):
        assert line["scores"] == sorted(line["scores"], reverse=True)
        adopts = dict(zip(line["clients"], line["adopts"], strict=True))
        assert adopts == dict(zip(following["clients"], following["parents"], strict=True))


@pytest.mark.slow
def test_a_champion_competes_once_more_where_it_is_kept(quickstart: Path, tmp_path: Path) -> None:
    for mode in MODES:
        options = f"{{name: competition, mode: {mode}, keep_champion: true}}"
        ladder = read_lines(ran(quickstart, tmp_path / mode, options).folder / "ladder.jsonl")
        assert [CHAMPION in line["clients"] for line in ladder] == [False, True, True, True]
        for before, line in pairwise(ladder):
            last = before["clients"][before["shares"].index(max(before["shares"]))]
            alone = before["reported"]
            assert line["parents"][line["clients"].index(CHAMPION)] == (last if alone is None else alone)


@pytest.mark.parametrize("mode", MODES)
def test_the_global_model_is_the_best_scored_of_the_round(quickstart: Path, tmp_path: Path, mode: str) -> None:
    """Of the networks that competed and of what the super node made of them: by the rows that judged them."""
    far_apart = ["data.partition={scheme: dirichlet, clients: 20, alpha: 0.1}", "training.epochs=3"]
    run = ran(quickstart, tmp_path / "run", f"{{name: competition, mode: {mode}}}", *far_apart)
    ladder = read_lines(run.folder / "ladder.jsonl")
    for line, loss in zip(ladder, run.metrics.validation_loss[1:], strict=True):
        best_of_all = min(line["scores"])
        alone = line["reported"] is not None or max(line["shares"]) == 1
        assert loss == pytest.approx(best_of_all, rel=1e-6) if alone else loss <= best_of_all


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.validation_fraction=0"], r"data\.validation_fraction: expected above 0: the examples that judge"),
        (["federation.strategy={name: competition, judge: clients}", "data.client_holdout=0"], r"data\.client_holdout"),
        (["federation.strategy={name: competition, score: r2}"], "r2 is not measured in a classification; use one of"),
        (["federation.strategy={name: competition, ranges: {momentum: [0.1, 1]}}"], "momentum is none"),
    ],
)
def test_what_nobody_could_judge_is_refused_before_anything_runs(
    quickstart: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(hothouse.InputError, match=message):
        check(quickstart, ["federation.strategy=competition", *overrides])
