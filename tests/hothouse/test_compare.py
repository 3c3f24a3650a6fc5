"""Comparisons: groups, intervals, targets and tests, against SciPy and numbers worked out by hand."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

import hothouse
from hothouse.comparison.statistics import estimate, holm, paired
from tests.browser import Browser
from tests.command import command


def made_up(
    folder: Path, seed: int, accuracies: list[float], lr: float = 0.1, status: str = "complete", **more: Any
) -> Path:
    """A run's folder as a run leaves it, with these accuracies; each round takes 2 s and 300 bytes."""
    folder.mkdir(parents=True)
    scenario = {"name": "mine", "seed": seed, "training": {"optimizer": {"name": "sgd", "lr": lr}}, **more}
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    lines = [
        {
            "round": number,
            "clients": 5,
            "bytes_down": 100 if number else 0,
            "bytes_up": 200 if number else 0,
            "seconds": 2.0,
            "test_accuracy": accuracy,
            "test_loss": 1 - accuracy,
        }
        for number, accuracy in enumerate(accuracies)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "summary.json").write_text(json.dumps({"status": status, "rounds": len(lines) - 1, "best": None}))
    return folder


@pytest.fixture
def two_groups(tmp_path: Path) -> Path:
    """Five seeds of each of two rates."""
    rng = np.random.default_rng(0)
    for lr, level in ((0.1, 0.9), (0.2, 0.8)):
        for seed in range(5):
            last = round(level + rng.normal(0, 0.02), 4)
            made_up(tmp_path / "runs" / f"{lr}-{seed}", seed, [0.1, 0.5, last], lr)
    return tmp_path / "runs"


def test_an_interval_is_students() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.half_width == pytest.approx(3.182446 * math.sqrt(5 / 3) / 2, rel=1e-6), "t(0.975; 3) from a table"
    low, high = stats.t.interval(0.95, 3, 2.5, stats.sem([1, 2, 3, 4]))
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))
    assert math.isnan(estimate([3.0]).half_width)


def test_numbers_have_as_many_digits_as_their_interval_is_worth() -> None:
    assert estimate([0.91, 0.92, 0.93]).text() == "0.920 ± 0.025"
    assert estimate([1000.0, 1200.0, 1100.0]).text() == "1100 ± 248"
    assert estimate([0.12345]).text() == "0.1235"
    assert estimate([7.0, 7.0]).text() == "7 ± 0"
    assert estimate([1e-6, 1e-6]).text() == "1e-06 ± 0"
    assert estimate([0.1 + 0.2, 0.3]).text() == "0.3 ± 0", "what differs by rounding is alike"
    assert estimate([1.0e-6, 1.2e-6, 1.1e-6]).text() == "(1.10 ± 0.25)e-06"
    assert estimate([-3e-9, 4e-9]).text() == "(0.1 ± 4.4)e-08"


def test_pairs_are_tested_as_scipy_does() -> None:
    rng = np.random.default_rng(1)
    one, other, third = rng.normal(0.9, 0.02, 8), rng.normal(0.87, 0.02, 8), rng.normal(0.9, 0.02, 8)
    tests = paired([("a", "b", one, other), ("a", "c", one, third)])
    for test, second in zip(tests, (other, third), strict=True):
        assert test.t_test == pytest.approx(stats.ttest_rel(one, second).pvalue)
        assert test.wilcoxon == pytest.approx(stats.wilcoxon(one, second).pvalue)
        assert test.difference.mean == pytest.approx((one - second).mean())
        interval = stats.ttest_rel(one, second).confidence_interval(0.95)
        assert test.difference.mean + test.difference.half_width == pytest.approx(interval.high)
    assert math.isnan(paired([("a", "b", one[:5], other[:5])])[0].wilcoxon)


def test_runs_that_do_not_differ_at_all_and_runs_that_differ_by_a_constant() -> None:
    same, shifted = paired([("a", "a", [0.5, 0.75], [0.5, 0.75]), ("a", "b", [0.5, 0.75, 1.0], [0.25, 0.5, 0.75])])
    assert (same.difference.mean, shifted.difference.half_width) == (0, 0)
    assert all(math.isnan(p) for one in (same, shifted) for p in (one.t_test, one.holm, one.wilcoxon))
    # 0.3 − 0.2 and 0.2 − 0.1 differ in the last bit.
    (alike,) = paired([("a", "b", [0.3, 0.2], [0.2, 0.1])])
    assert (alike.difference.text(), math.isnan(alike.t_test)) == ("0.1 ± 0", True)


def test_wilcoxons_test_is_exact_with_ties() -> None:
    # Accuracies of 1,000 rows: differences of 1, 1, −1, 2, −2 and 3 thousandths, to which floating point adds its own.
    one = np.array([0.051, 0.586, 0.008, 0.016, 0.059, 0.332])
    other = np.array([0.050, 0.585, 0.009, 0.014, 0.061, 0.329])
    assert len(set(np.abs(one - other).tolist())) > 3
    ranks, signs = np.array([2, 2, 2, 4.5, 4.5, 6]), np.array([1, 1, -1, 1, -1, 1])
    observed = abs((signs * ranks).sum())
    every = [abs((np.array(s) * ranks).sum()) >= observed for s in itertools.product([1, -1], repeat=6)]
    (test,) = paired([("a", "b", one, other)])
    assert test.wilcoxon == pytest.approx(np.mean(every), rel=1e-12)


def test_holms_correction_worked_out_by_hand() -> None:
    # Holm (1979): the smallest times 3, the next times 2, the largest times 1, none below one before it.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.6, 0.6]) == [1, 1]
    assert holm([]) == []
    assert holm([0.01, math.nan, 0.04])[::2] == pytest.approx([0.02, 0.04]), "a test that says nothing is not counted"


def test_runs_that_differ_in_the_seed_alone_are_a_group(two_groups: Path) -> None:
    comparison = hothouse.compare(two_groups)
    assert [(group.label, len(group.runs)) for group in comparison.groups] == [("lr=0.1", 5), ("lr=0.2", 5)]
    assert comparison.differences == ["training.optimizer.lr"]
    finals = [run.column("test_accuracy")[1][-1] for run in comparison.groups[0].runs]
    low, high = stats.t.interval(0.95, 4, np.mean(finals), stats.sem(finals))
    first = comparison.table.iloc[0]
    assert first.test_accuracy == pytest.approx(np.mean(finals))
    assert first.test_accuracy_half_width == pytest.approx((high - low) / 2)
    (test,) = comparison.tests
    assert test.difference.runs == 5


def test_names_checkpoints_and_trackers_tell_no_groups_apart(tmp_path: Path) -> None:
    made_up(tmp_path / "a", 1, [0.1, 0.5], checkpoints={"every": 5})
    made_up(tmp_path / "b", 2, [0.1, 0.6], checkpoints={"every": 7}, tracking=["csv"])
    (group,) = hothouse.compare([tmp_path / "a", tmp_path / "b"]).groups
    assert group.label == "mine"
    assert sorted(group.by_seed) == [1, 2]


def test_groups_with_names_of_their_own_are_called_by_them(tmp_path: Path) -> None:
    made_up(tmp_path / "a", 1, [0.1, 0.5], lr=0.1)
    other = made_up(tmp_path / "b", 1, [0.1, 0.6], lr=0.2)
    scenario = yaml.safe_load((other / "scenario.yaml").read_text()) | {"name": "faster"}
    (other / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    assert [group.label for group in hothouse.compare(tmp_path).groups] == ["mine", "faster"]


def test_when_a_target_was_reached_and_what_it_had_cost(tmp_path: Path) -> None:
    made_up(tmp_path / "a", 1, [0.1, 0.5, 0.7, 0.6])
    made_up(tmp_path / "b", 2, [0.1, 0.2, 0.3, 0.7])
    made_up(tmp_path / "c", 3, [0.1, 0.2, 0.3, 0.4])
    (row,) = hothouse.compare(tmp_path, target="accuracy=0.7").rows
    assert [(at.round, at.bytes, at.seconds) for at in row.reached] == [(2, 600, 6), (3, 900, 8)]
    assert row.runs == 3
    assert row.to_target("round") == estimate([2.0, 3.0])
    (row,) = hothouse.compare(tmp_path, target="loss=0.5").rows
    assert [at.round for at in row.reached] == [1, 3], "less of a loss is better"
    assert hothouse.compare(tmp_path, target="accuracy=0.99").rows[0].to_target("round") is None


def test_by_default_the_target_is_near_the_best(two_groups: Path) -> None:
    comparison = hothouse.compare(two_groups)
    assert comparison.target.value == pytest.approx(0.95 * comparison.table.test_accuracy.max())
    loss = hothouse.compare(two_groups, metric="loss")
    assert loss.metric == "test_loss"
    assert loss.target.value == pytest.approx(loss.table.test_loss.min() / 0.95)


def test_what_does_not_count_is_named(tmp_path: Path) -> None:
    made_up(tmp_path / "a", 1, [0.1, 0.5, 0.9])
    made_up(tmp_path / "again", 1, [0.1, 0.5, 0.9])
    made_up(tmp_path / "broken", 2, [0.1], status="incomplete")
    made_up(tmp_path / "empty", 3, [])
    comparison = hothouse.compare(tmp_path)
    assert [run.folder.name for run in comparison.groups[0].runs] == ["a"]
    assert {folder.name: why for folder, why in comparison.found.left_out} == {
        "again": f"it repeats {tmp_path}/a",
        "broken": "it is incomplete",
        "empty": "it has measured nothing",
    }


def test_runs_that_have_not_ended_are_compared_as_far_as_they_got(tmp_path: Path) -> None:
    made_up(tmp_path / "a", 1, [0.1, 0.5, 0.9], status="incomplete")
    made_up(tmp_path / "b", 2, [0.1, 0.4], status="incomplete")
    comparison = hothouse.compare(tmp_path)
    assert comparison.groups[0].rounds("test_accuracy") == [0, 1]
    assert comparison.rows[0].status == "incomplete, after round 1 to 2"


def test_runs_that_failed_are_marked_and_not_tested(tmp_path: Path) -> None:
    for seed in range(3):
        made_up(tmp_path / f"good-{seed}", seed, [0.1, 0.5, 0.6 + seed / 100], lr=0.1)
        made_up(tmp_path / f"bad-{seed}", seed, [0.9 + seed / 100], lr=0.2, status="incomplete")
    comparison = hothouse.compare(tmp_path / "*-*")
    assert comparison.tests == []
    assert comparison.target.value == pytest.approx(0.95 * 0.61), "near the best of those that ended"
    status = {row.label: row.status for row in comparison.rows}
    assert status == {"lr=0.1": "complete", "lr=0.2": "incomplete, after round 0"}
    assert "incomplete, after round 0" in comparison.markdown()
    assert [line["status"] for line in csv.DictReader(io.StringIO(comparison.csv()))] == list(
        dict(sorted(status.items(), key=lambda one: one[0] != comparison.rows[0].label)).values()
    )
    assert r"\mathbf{0.6" in comparison.latex(), "the best is one that ended"
    done = command("compare", tmp_path / "*-*", cwd=tmp_path)
    assert "status" in done.stdout
    assert "incomplete" in done.stdout


def test_a_run_that_ended_without_a_number_has_no_final_value(tmp_path: Path) -> None:
    for seed in range(2):
        made_up(tmp_path / f"good-{seed}", seed, [0.1, 0.5, 0.6 + seed / 100], lr=0.1)
        folder = made_up(tmp_path / f"lost-{seed}", seed, [0.3, 0.4, 0.5], lr=0.2)
        if seed:
            lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            lines[1]["test_accuracy"] = lines[2]["test_accuracy"] = None
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    comparison = hothouse.compare(tmp_path)
    by_label = {row.label: row for row in comparison.rows}
    assert by_label["lr=0.2"].final is None
    assert by_label["lr=0.2"].status == "complete; no finite value in the end with seed 1"
    assert comparison.tests == [], "one pair of values is no sample"
    assert comparison.page() is not None


def test_a_metric_that_only_the_first_run_has_a_number_of(tmp_path: Path) -> None:
    made_up(tmp_path / "a", 0, [0.1, 0.5], lr=0.1)
    folder = made_up(tmp_path / "b", 0, [0.1, 0.5], lr=0.2)
    lines = [json.loads(line) | {"test_accuracy": None} for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = hothouse.compare([tmp_path / "a", tmp_path / "b"]).rows
    assert [row.final is None for row in rows] == [False, True]


def test_of_many_groups_each_is_tested_against_the_first(tmp_path: Path) -> None:
    for lr in range(1, 11):
        for seed in (0, 1):
            made_up(tmp_path / f"{lr}-{seed}", seed, [0.1, 0.5 + lr / 100 + seed / 1000], lr=float(lr))
    tests = hothouse.compare(sorted(tmp_path.iterdir())).tests
    assert len(tests) == 9
    assert len({test.second for test in tests}) == 1


def test_tables_for_papers_and_programs(two_groups: Path) -> None:
    comparison = hothouse.compare(two_groups, target="accuracy=0.5")
    latex = comparison.latex()
    assert latex.startswith("\\begin{tabular}{l")
    assert latex.count(r"\\") == 3
    assert r"$\mathbf{" in latex.splitlines()[4], "the better of the two"
    head, rule, *rows = comparison.markdown().splitlines()
    assert head.startswith("| scenario | runs | test accuracy |")
    assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}
    first, second = csv.DictReader(io.StringIO(comparison.csv()))
    assert float(first["test_accuracy"]) == comparison.table.test_accuracy[0]
    assert (second["label"], second["runs_at_target"], second["rounds_to_target"]) == ("lr=0.2", "5", "1.0")


def test_what_means_something_to_latex_is_escaped(tmp_path: Path) -> None:
    for value in ("a_b", "c&d%"):
        made_up(tmp_path / value[0], 1, [0.1, 0.5], model={"layers": value})
    latex = hothouse.compare(tmp_path).latex()
    assert r"layers=a\_b" in latex
    assert r"layers=c\&d\%" in latex


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: expected a run's folder, a folder of runs or a pattern, found no run there"),
        (["RUNS", "--target", "accuracy"], "--target accuracy: expected METRIC=VALUE"),
        (["RUNS", "--target", "accuracy=high"], "--target accuracy=high: expected METRIC=VALUE"),
        (["RUNS", "--target", "rmse=3"], "rmse: not measured by all of these runs; they have test_accuracy, test_loss"),
        (["RUNS", "--metric", "f1"], "f1: not measured by all of these runs"),
    ],
)
def test_mistakes_are_told(two_groups: Path, arguments: list[str], message: str, tmp_path: Path) -> None:
    done = command("compare", *(two_groups if word == "RUNS" else word for word in arguments), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)


def test_real_runs_on_the_command_line_and_in_the_browser(quickstart: Path, tmp_path: Path, browser: Browser) -> None:
    short = ["federation.rounds=3"]
    for seed in (1, 2):
        for lr in (0.05, 0.01):
            changes = [*short, f"training.optimizer.lr={lr}"]
            hothouse.run(quickstart, overrides=changes, seed=seed, engine="local", out=tmp_path / f"{lr}-{seed}")
    arguments = ["compare", tmp_path / "0.*", "--target", "accuracy=0.3"]
    done = command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("Results", "lr=0.05", "Paired over seeds", "training.optimizer.lr", "Page: comparison.html"):
        assert words in done.stdout
    browser.open(tmp_path / "comparison.html")
    assert browser.complaints() == []
    assert browser.count(".plot .main-svg") >= 5
    for words in ("Results", "Curves", "Paired tests", "Differences", "worst tenth of clients"):
        assert words in browser.text()
    done = command(*arguments, "--csv", cwd=tmp_path)
    assert [row["label"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["lr=0.01", "lr=0.05"]
