"""Rules of selection against their formulas, seeded, and the same after a run was killed."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import hothouse
from common import seeds
from common.errors import InputError
from common.extend.selection import SelectionRule
from common.extend.strategy import StrategyContext
from common.participation import read_participation
from common.scenario.registry import implementation
from common.selection.oort import OortRule
from common.selection.rules import weighted
from server.evaluation.losses import Losses
from tests import plain
from tests.federations import FEATURES, federation, named, ran, scenario, starting_weights
from tests.resuming import assert_resumes

SIZES = np.array([5, 1, 9, 3, 20, 2, 7, 13])


def rule(selection: Any, size: int = 3, losses: dict[int, float] | None = None, **training: Any) -> SelectionRule:
    """A rule by itself, for clients of SIZES rows; `losses` are what they say they lose, 1 if not named."""
    settings = scenario(
        seed=4,
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
        federation={"selection": selection, "rounds": 5, "clients_per_round": size},
        training=training or {"epochs": 2, "batch_size": 4},
    )

    def told(weights: Any, positions: np.ndarray) -> Losses:
        values = np.array([(losses or {}).get(position, 1.0) for position in positions.tolist()])
        return Losses(values, values)

    unused, asked = None, told
    context = StrategyContext(settings, np.arange(8) + 100, SIZES, unused, asked, unused)  # type: ignore[arg-type]
    options = settings.federation.selection
    rule: SelectionRule = implementation(options)(options, context, size)
    return rule


def cohorts(selection: SelectionRule, rounds: int = 5) -> list[list[int]]:
    made = []
    for number in range(1, rounds + 1):
        cohort = selection.cohort(number, {})
        selection.learn(number, cohort)
        made.append(cohort.tolist())
    return made


@pytest.mark.parametrize("name", ["uniform", "by_size", "round_robin", "power_of_choice", "oort"])
def test_a_cohort_is_as_many_different_clients_by_the_seed(name: str) -> None:
    made = cohorts(rule(name))
    assert made == cohorts(rule(name))
    for cohort in made:
        assert cohort == sorted(set(cohort))
        assert len(cohort) == 3
        assert 0 <= cohort[0] <= cohort[-1] < 8
    everyone = cohorts(rule(name, size=8))
    assert everyone == [list(range(8))] * 5


def test_weighted_draws_have_the_probabilities_of_drawing_one_after_the_other() -> None:
    weights, draws = np.array([1.0, 2.0, 5.0, 0.0]), 20000
    generator = np.random.default_rng(0)
    counts = Counter(tuple(weighted(generator, weights, 2).tolist()) for _ in range(draws))
    for first, second in permutations(range(3), 2):
        expected = weights[first] / 8 * weights[second] / (8 - weights[first])
        assert counts[first, second] / draws == pytest.approx(expected, abs=4 * (expected / draws) ** 0.5)
    assert not any(3 in pair for pair in counts)


def test_by_size_a_client_is_drawn_in_proportion_to_its_rows() -> None:
    selection = rule("by_size", size=1)
    counts = np.bincount([int(selection.cohort(number, {})[0]) for number in range(1, 6001)], minlength=8)
    assert np.abs(counts / 6000 - SIZES / SIZES.sum()).max() < 0.02


def test_in_turns_everybody_comes_equally_often() -> None:
    made = cohorts(rule("round_robin"), rounds=8)
    assert Counter(client for cohort in made for client in cohort) == dict.fromkeys(range(8), 3)
    assert made[0] + made[1] != list(range(6)), "the order is drawn"


class TestPowerOfChoice:
    def test_of_the_candidates_those_that_lose_most_take_part(self) -> None:
        losses = dict(enumerate([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6]))
        for number, cohort in enumerate(cohorts(rule({"name": "power_of_choice", "candidates": 5}, losses=losses)), 1):
            drawn = weighted(seeds.generator(4, "selection", number), SIZES, 5).tolist()
            assert cohort == sorted(sorted(drawn, key=lambda client: -losses[client])[:3])

    def test_of_equals_the_first_drawn_and_of_no_answer_the_last(self) -> None:
        for number, cohort in enumerate(cohorts(rule({"name": "power_of_choice", "candidates": 4})), 1):
            assert cohort == sorted(weighted(seeds.generator(4, "selection", number), SIZES, 3).tolist())
        silent = rule({"name": "power_of_choice", "candidates": 8}, losses={4: float("nan"), 7: float("nan")})
        assert not {4, 7} & {client for cohort in cohorts(silent) for client in cohort}

    def test_clients_are_asked_for_the_loss_of_the_rounds_weights_on_their_rows(self, tmp_path: Path) -> None:
        prepared = federation(tmp_path, SIZES.tolist())
        settings = scenario(
            seed=4,
            data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": 8}},
            model={"layers": [7], "dtype": "float64"},
            training={"optimizer": {"name": "sgd", "lr": 0.1}},
            federation={
                "rounds": 1,
                "clients_per_round": 3,
                "selection": {"name": "power_of_choice", "candidates": 8},
            },
        )
        network = plain.Plain(settings.model, FEATURES, 3)
        start = named(starting_weights(settings, prepared))
        network.load_state_dict({name: torch.tensor(array) for name, array in start.items()})
        losses = []
        for client in range(8):
            rows = prepared.training_examples(client)
            with torch.no_grad():
                outputs = network(torch.tensor(prepared.x[rows]))
                losses.append(float(nn.functional.cross_entropy(outputs, torch.tensor(prepared.y[rows]))))
        watcher = ran(settings, prepared)
        assert watcher.cohorts == [sorted(np.argsort(losses)[-3:].tolist())]
        size = sum(array.nbytes for array in start.values())
        assert watcher.rounds[1]["bytes_down"] == (8 + 3) * size, "candidates need the weights too"


class TestOort:
    def oort(self, losses: dict[int, float] | None = None, size: int = 3, **options: Any) -> OortRule:
        selection = rule({"name": "oort", **options}, size, losses)
        assert isinstance(selection, OortRule)
        return selection

    def knowing(self, **options: Any) -> OortRule:
        """All clients but 0 and 1 took part in round 2, with these losses."""
        selection = self.oort({2: 3.0, 3: 1.0, 4: 0.5, 5: 2.0, 6: 1.0, 7: 4.0}, size=6, **options)
        selection.state["now"] = SIZES * np.array([np.nan, np.nan, 3, 1, 0.5, 2, 1, 4])
        selection.learn(2, np.arange(2, 8))
        return selection

    def test_utility_is_rows_times_the_root_mean_square_loss_last_seen(self) -> None:
        selection = self.oort({0: 0.5, 4: 2.0}, size=8)
        selection.learn(1, selection.cohort(1, {}))
        assert selection.state["utility"].tolist() == [2.5, 1, 9, 3, 40, 2, 7, 13]
        assert selection.state["last"].tolist() == [1] * 8

    def test_worth_is_clipped_utility_with_uncertainty_and_a_penalty_for_time(self) -> None:
        known = np.arange(2, 8)
        utility = np.array([27.0, 3, 10, 4, 7, 52])
        uncertainty = np.sqrt(0.1 * np.log(9) / 2)
        plainly = self.knowing(clip=1.0).utilities(9, known)
        assert plainly == pytest.approx(utility + uncertainty)
        clipped = self.knowing(clip=0.8).utilities(9, known)
        assert clipped == pytest.approx(np.minimum(utility, np.quantile(utility, 0.8)) + uncertainty)
        rows = 2 * SIZES[known]
        timely = self.knowing(clip=1.0, preferred_rows=14.0, penalty=2.0).utilities(9, known)
        assert timely == pytest.approx(plainly * np.where(rows > 14, (14 / rows) ** 2, 1))

    def test_it_explores_less_and_less_and_exploits_what_is_worth_most(self) -> None:
        selection = self.knowing(clip=1.0, exploration=0.5, exploration_decay=1.0, exploration_least=0.0)
        selection.size = 2
        for number in range(3, 20):
            cohort = selection.cohort(number, {}).tolist()
            assert cohort[0] in (0, 1), "one that was never seen"
            assert cohort[1] == 7, "nobody else has 95% of the best's utility"
        later = self.knowing(clip=1.0, exploration=0.9, exploration_decay=0.5, exploration_least=0.0, cutoff=1.0)
        later.size = 4
        assert [sum(client < 2 for client in later.cohort(t, {}).tolist()) for t in (1, 2, 3, 4, 9)] == [2, 2, 1, 0, 0]
        assert later.cohort(9, {}).tolist() == [2, 4, 6, 7]

    def test_clients_within_the_cutoff_are_drawn_by_their_worth(self) -> None:
        selection = self.knowing(clip=1.0, exploration=0.0, exploration_least=0.0, cutoff=0.4)
        selection.size = 1
        chosen = Counter(int(selection.cohort(number, {})[0]) for number in range(1, 2001))
        assert set(chosen) == {2, 7}
        utilities = selection.utilities(1, np.array([2, 7]))
        assert chosen[7] / 2000 == pytest.approx(utilities[1] / utilities.sum(), abs=0.04)

    def test_who_took_part_too_often_comes_last(self) -> None:
        selection = self.knowing(exploration=0.0, exploration_least=0.0, most_rounds=1)
        selection.state["times"][7] = 2
        selection.size = 5
        assert selection.cohort(3, {}).tolist() == [2, 3, 4, 5, 6]
        selection.size = 6
        assert selection.cohort(3, {}).tolist() == [2, 3, 4, 5, 6, 7]

    def test_what_a_client_trains_on_follows_from_the_scenario(self) -> None:
        def rows(**training: Any) -> list[float]:
            selection = rule("oort", **training)
            assert isinstance(selection, OortRule)
            return selection.examples.tolist()

        assert rows(epochs=3) == (3 * SIZES).tolist()
        assert rows(steps=6, batch_size=4) == [24, 6, 24, 18, 24, 12, 24, 24]
        assert rows(steps=6, batch_size="full") == (6 * SIZES).tolist()


class TestSchedule:
    def written(self, folder: Path, text: str, name: str = "s.yaml") -> Path:
        (folder / name).write_text(text)
        return folder / name

    def test_who_stands_in_the_file_takes_part(self, tmp_path: Path) -> None:
        files = [
            ("a.yaml", "- [100, 103]\n- [104]\n"),
            ("b.yml", "2:\n- 104\n1: [103, 100]\n"),
            ("c.csv", "round,client\n1,103\n2,104\n1,100\n"),
        ]
        for name, text in files:
            path = self.written(tmp_path, text, name)
            selection = rule({"name": "schedule", "path": str(path), "repeat": True})
            assert cohorts(selection) == [[0, 3], [4], [0, 3], [4], [0, 3]]

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("s.yaml", "1: [1]\n2: 7\n", "s.yaml:2: round 2: expected a list of client ids, got 7"),
            ("s.yaml", "1: [1]\nx: [7]\n", "s.yaml:2: round: expected a whole number of at least 1, got 'x'"),
            ("s.yaml", "1:\n- 1\n- 2.5\n", "s.yaml:3: client: expected a whole number of at least 0, got 2.5"),
            ("s.yaml", "1:\n- 1\n- 2\n- 1\n", r"s.yaml:4: client 1 stands in round 1 twice, first at .*s.yaml:2"),
            ("s.yaml", "1: []\n", "s.yaml: round 1 has no clients"),
            ("s.yaml", "seven\n", "s.yaml: expected a list of client ids for each round"),
            ("s.csv", "round,node\n1,1\n", "s.csv:1: expected the columns round,client, got 'round,node'"),
            ("s.csv", "round,client\n1,1\n2,-3\n", "s.csv:3: client: expected a whole number of at least 0, got '-3'"),
            ("s.csv", "round,client\n1,1\n2\n", "s.csv:3: expected a round and a client, got '2'"),
            ("s.csv", "round,client\n", "s.csv: expected clients for at least one round, found none"),
            ("s.txt", "", "s.txt: expected a schedule that ends in .yaml, .yml or .csv"),
        ],
    )
    def test_a_mistake_is_named_with_file_and_line(self, tmp_path: Path, name: str, text: str, said: str) -> None:
        with pytest.raises(InputError, match=said):
            read_participation(self.written(tmp_path, text, name))

    def test_a_client_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        path = self.written(tmp_path, "1:\n- 100\n- 108\n")
        with pytest.raises(InputError, match=r"s.yaml:3: no client 108; the federation has 8: 100 … 107"):
            rule({"name": "schedule", "path": str(path), "repeat": True})

    def test_a_round_that_is_missing_is_named(self, tmp_path: Path) -> None:
        path = self.written(tmp_path, "1: [100]\n3: [101]\n")
        with pytest.raises(InputError, match=r"s.yaml: round 2 of 3 is missing; give its clients$"):
            rule({"name": "schedule", "path": str(path), "repeat": True})
        path = self.written(tmp_path, "- [100]\n" * 4)
        with pytest.raises(InputError, match=r"round 5 of 5 is missing; give its clients, or let .* repeat: true"):
            rule({"name": "schedule", "path": str(path)})

    def test_a_run_goes_on_with_the_same_schedule_only(self, npz: Path, tmp_path: Path) -> None:
        path = self.written(tmp_path, "[[1, 2], [0], [3]]")
        settings = {
            "data": {"source": {"kind": "npz", "path": str(npz)}, "partition": "iid"},
            "federation": {"rounds": 2, "selection": {"name": "schedule", "path": str(path)}},
        }
        run = hothouse.run(settings, engine="local", out=tmp_path / "run")
        assert run.metrics.clients.tolist() == [0, 2, 1]
        path.write_text("[[1, 2], [0], [4]]")
        with pytest.raises(InputError, match=r"federation\.selection\.path, what it says"):
            hothouse.resume(run, rounds=3, engine="local")


@pytest.mark.parametrize("name", ["by_size", "round_robin", "power_of_choice", "oort", "schedule"])
def test_killed_and_resumed_it_ends_with_the_same_bits(npz: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "s.yaml").write_text("[[1, 2], [0]]")
    more = f", path: {tmp_path / 's.yaml'}, repeat: true" if name == "schedule" else ""
    settings = {"data": {"source": {"kind": "npz", "path": str(npz)}, "partition": "iid"}, "model": {"layers": [5]}}
    options = ["federation.rounds=4", "federation.clients_per_round=3", f"federation.selection={{name: {name}{more}}}"]
    assert_resumes(settings, tmp_path, options, [3])
