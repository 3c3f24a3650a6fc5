"""Each mode of competition equals its rule written out: networks trained and judged one by one, for three rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message

from common import seeds
from common.arrays import NamedArrays
from common.data import Prepared
from common.scenario import Scenario
from server.grid.local import LocalGrid
from server.record.state import RunState
from server.rounds import Rounds
from tests.federations import trained_alone
from tests.literal import (
    COHORT,
    RATE,
    ROUNDS,
    SEED,
    SIZES,
    Literal,
    assert_equal,
    clients,
    cohort,
    last_rounds,
    literal_scenario,
    run,
)

TOLERANCE = 1e-9


class Arena:
    """The rules' common ground: who trains, what it comes to, how it scores. Clients judge, by the loss."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.prepared: Prepared = clients(folder)
        self.chosen: Scenario = literal_scenario({"name": "competition", "judge": "clients", **options})
        self.literal = Literal(self.chosen, self.prepared)

    def trained(self, client: int, t: int, start: NamedArrays, rate: float = RATE) -> NamedArrays:
        optimizer = self.chosen.training.optimizer.model_copy(update={"lr": rate})
        training = self.chosen.training.model_copy(update={"optimizer": optimizer})
        chosen = self.chosen.model_copy(update={"training": training})
        return trained_alone(chosen, self.prepared, client, start, t)[0]

    def score(self, t: int, weights: NamedArrays) -> float:
        rows = np.concatenate([self.prepared.holdout_examples(client) for client in cohort(t)])
        return -self.literal.loss(weights, rows)

    def ranked(self, t: int, networks: dict[int, NamedArrays]) -> list[int]:
        scores = {client: self.score(t, weights) for client, weights in networks.items()}
        return sorted(networks, key=lambda client: (-scores[client], client))

    def assert_ends_at(self, weights: NamedArrays) -> None:
        assert_equal(run(self.chosen, self.prepared).weights, weights, TOLERANCE)

    def reported(self, t: int, networks: Iterable[NamedArrays], spread: NamedArrays) -> NamedArrays:
        """The best-scored of the round's networks and of what is spread."""
        return max([spread, *networks], key=lambda weights: self.score(t, weights))


def mixed(networks: dict[int, NamedArrays], shares: dict[int, float]) -> NamedArrays:
    names = next(iter(networks.values()))
    return {name: sum(share * networks[client][name] for client, share in shares.items()) for name in names}  # type: ignore[misc]


def best(arena: Arena, t: int, networks: dict[int, NamedArrays]) -> NamedArrays:
    return networks[arena.ranked(t, networks)[0]]


def top_2(arena: Arena, t: int, networks: dict[int, NamedArrays]) -> NamedArrays:
    return mixed(networks, dict.fromkeys(arena.ranked(t, networks)[:2], 0.5))


def top_2_by_rows(arena: Arena, t: int, networks: dict[int, NamedArrays]) -> NamedArrays:
    one, other = arena.ranked(t, networks)[:2]
    rows = SIZES[one] + SIZES[other]
    return mixed(networks, {one: SIZES[one] / rows, other: SIZES[other] / rows})


def softmax(arena: Arena, t: int, networks: dict[int, NamedArrays]) -> NamedArrays:
    heat = {client: math.exp(arena.score(t, weights) / 0.3) for client, weights in networks.items()}
    return mixed(networks, {client: value / sum(heat.values()) for client, value in heat.items()})


def layer_by_layer(arena: Arena, t: int, networks: dict[int, NamedArrays]) -> NamedArrays:
    order = arena.ranked(t, networks)
    network, score = networks[order[0]], arena.score(t, networks[order[0]])
    for layer in ("layers.0.", "layers.1.", "layers.2."):
        tried = [
            network | {name: array for name, array in networks[other].items() if name.startswith(layer)}
            for other in order
        ]
        scores = [arena.score(t, one) for one in tried]
        if max(scores) > score:
            score, network = max(scores), tried[scores.index(max(scores))]
    assert score >= arena.score(t, networks[order[0]]), "never worse than the winner"
    return network


RULES = {
    "best": (best, {"mode": "best"}),
    "top_k": (top_2, {"mode": "top_k", "k": 2}),
    "top_k by rows": (top_2_by_rows, {"mode": "top_k", "k": 2, "average": "rows"}),
    "weighted": (softmax, {"mode": "weighted", "temperature": 0.3}),
    "layerwise": (layer_by_layer, {"mode": "layerwise"}),
}

LOSING = ("top_k", "weighted")
"""The rules whose last mean scores worse than the winner here."""


@pytest.mark.parametrize("rule", RULES)
def test_modes_that_start_from_one_network(tmp_path: Path, rule: str) -> None:
    decide, options = RULES[rule]
    arena = Arena(tmp_path, **options)
    weights = arena.literal.start()
    for t in range(1, ROUNDS + 1):
        networks = {client: arena.trained(client, t, weights) for client in cohort(t)}
        weights = decide(arena, t, networks)
        model = arena.reported(t, networks.values(), weights)
    arena.assert_ends_at(model)
    assert (model is weights) == (rule not in LOSING), "or this shows less than it says"


def test_a_champion_that_is_kept_is_beaten_or_stays(tmp_path: Path) -> None:
    arena = Arena(tmp_path, mode="best", keep_champion=True)
    weights = arena.literal.start()
    for t in range(1, ROUNDS + 1):
        networks = {client: arena.trained(client, t, weights) for client in cohort(t)}
        winner = best(arena, t, networks)
        weights = weights if t > 1 and arena.score(t, weights) >= arena.score(t, winner) else winner
    arena.assert_ends_at(weights)


def test_the_champion_of_means_is_the_last_global_model_and_not_what_was_spread(tmp_path: Path) -> None:
    arena = Arena(tmp_path, mode="top_k", k=2, keep_champion=True)
    weights, champion = arena.literal.start(), None
    for t in range(1, ROUNDS + 1):
        networks = {client: arena.trained(client, t, weights) for client in cohort(t)}
        if champion is not None:
            networks[len(SIZES)] = champion
        weights = top_2(arena, t, networks)
        champion = arena.reported(t, networks.values(), weights)
    assert champion is not None
    arena.assert_ends_at(champion)


def test_tournament(tmp_path: Path) -> None:
    arena = Arena(tmp_path, mode="tournament")
    lines = {client: arena.literal.start() for client in range(len(SIZES))}
    for t in range(1, ROUNDS + 1):
        networks = {client: arena.trained(client, t, lines[client]) for client in cohort(t)}
        order = arena.ranked(t, networks)
        drawn = seeds.generator(SEED, "tournament", t).permutation(COHORT).tolist()
        lines |= networks
        for one, other in zip(drawn[0::2], drawn[1::2], strict=False):
            pair = [cohort(t)[one], cohort(t)[other]]
            winner, loser = sorted(pair, key=order.index)
            lines[loser] = networks[winner]
        weights = networks[order[0]]
    done = run(arena.chosen, arena.prepared)
    assert_equal(done.weights, weights, TOLERANCE)
    # A client's own model is its line, whether it has trained it or is to go on with it; else the global one.
    own = {client: lines[client] if client in last_rounds() else weights for client in lines}
    losses = {client: arena.literal.loss(own[client], arena.prepared.holdout_examples(client)) for client in own}
    assert done.watcher.rounds[-1]["personal_loss"] == pytest.approx(np.mean(list(losses.values())), abs=TOLERANCE)


def test_the_server_has_only_networks_that_wait_for_their_client(tmp_path: Path) -> None:
    arena = Arena(tmp_path, mode="tournament")
    done = run(arena.chosen, arena.prepared)
    strategy = done.rounds._strategy
    state, waiting = strategy.state, set()
    for t, ladder in enumerate(done.watcher.ladders, start=1):
        waiting -= set(cohort(t))
        waiting |= {a for a, b in zip(ladder.clients.tolist(), ladder.adopts.tolist(), strict=True) if a != b}
    assert state["adopters"].tolist() == sorted(waiting)
    assert {len(array) for name, array in state.items() if name.startswith("adopted.")} == {len(waiting)}
    # Who goes on with its own network has it still, as it was trained.
    (t, client) = next((t, one) for one, t in sorted(last_rounds().items()) if one not in waiting)
    assert done.kept(client, t).keys() == {f"personal.{name}" for name in arena.literal.start()}


def test_population(tmp_path: Path) -> None:
    ranges = {"optimizer.lr": [0.06, 0.15]}
    arena = Arena(tmp_path, mode="population", replaced=0.4, spread=2.0, factor=1.5, ranges=ranges)
    lines = {client: arena.literal.start() for client in range(len(SIZES))}
    drawn = seeds.generator(SEED, "population").uniform(-1, 1, len(SIZES))
    rates = np.clip(RATE * 2.0**drawn, 0.06, 0.15)
    for t in range(1, ROUNDS + 1):
        networks = {client: arena.trained(client, t, lines[client], float(rates[client])) for client in cohort(t)}
        order = arena.ranked(t, networks)
        draw = seeds.generator(SEED, "population", t)
        losers, winners = order[-2:], order[:2]
        givers = [int(giver) for giver in draw.choice([cohort(t).index(one) for one in winners], 2)]
        changes = 1.5 ** draw.choice([-1.0, 1.0], 2)
        lines |= networks
        before = rates.copy()
        for loser, giver, change in zip(losers, givers, changes, strict=True):
            lines[loser] = networks[cohort(t)[giver]]
            rates[loser] = np.clip(before[cohort(t)[giver]] * change, 0.06, 0.15)
        weights = networks[order[0]]
    arena.assert_ends_at(weights)


class TestWhatNetworksKeep:
    """Momentum from round to round, when a client goes on with another's weights."""

    @pytest.mark.parametrize("adopted_state", ["reset", "copied"])
    def test_begins_anew_or_is_the_givers(
        self, tmp_path: Path, adopted_state: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        states: list[RunState] = []
        monkeypatch.setattr(
            "server.record.checkpoint_policy.CheckpointPolicy.after", lambda keeper, state, last: states.append(state)
        )
        prepared = clients(tmp_path)
        options = {"name": "competition", "judge": "clients", "mode": "tournament", "adopted_state": adopted_state}
        momentum = {"optimizer": {"name": "sgd", "lr": RATE, "momentum": 0.9}, "optimizer_state": "client"}
        # One round: what was kept is there to be looked at.
        chosen = literal_scenario(options, training=momentum, federation={"rounds": 1, "clients_per_round": 8})
        done = run(chosen, prepared)
        (ladder,) = done.watcher.ladders
        taking = [(a, b) for a, b in zip(ladder.clients.tolist(), ladder.adopts.tolist(), strict=True) if a != b]
        assert len(taking) == 4, "one of each pair"
        versions = states[0].versions
        for loser, winner in taking:
            assert versions[winner] == 1
            assert versions[loser] == (1 if adopted_state == "copied" else 0)
            if adopted_state == "copied":
                assert_equal(done.kept(loser, 1), done.kept(winner, 1), 0)


@pytest.mark.parametrize(("mode", "asked"), [("best", 1), ("tournament", 1), ("top_k", 1 + 1), ("layerwise", 1 + 3)])
def test_one_message_judges_all_candidates(tmp_path: Path, mode: str, asked: int) -> None:
    """Once for the networks, once for their mean, in layerwise once for each layer's combinations: not for each."""
    arena = Arena(tmp_path, mode=mode)
    counted: list[int] = []

    class Counting(LocalGrid):
        def push_messages(self, messages: Iterable[Message]) -> list[str]:
            batch = list(messages)
            counted.extend(int(one.metadata.message_type == "evaluate") for one in batch)
            return super().push_messages(batch)

    # Round 0 and the last are measured, by a message each; one block is one message.
    federation = arena.chosen.federation.model_copy(update={"blocks": 1, "rounds": 2})
    evaluation = arena.chosen.evaluation.model_copy(update={"every": 99})
    chosen = arena.chosen.model_copy(update={"federation": federation, "evaluation": evaluation})
    grid = Counting("clients.app:app", [{"data-dir": str(arena.prepared.folder)}], {})
    Rounds(grid, chosen, arena.prepared, []).run()
    assert sum(counted) == 2 + 2 * asked
