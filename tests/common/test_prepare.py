"""Prepared data: every row has one place, the same for the same seed, and is prepared once."""

from __future__ import annotations

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data import Prepared, prepare
from common.errors import InputError
from common.scenario import load_scenario
from common.scenario.partitions import PARTITIONS


def digits(seed: int = 1, **data: Any) -> Prepared:
    return prepare(load_scenario({"seed": seed, "data": {"source": {"kind": "sklearn", "name": "digits"}, **data}}))


def shards(prepared: Prepared) -> list[np.ndarray]:
    clients = prepared.clients.tolist()
    return [np.concatenate([prepared.training_examples(c), prepared.holdout_examples(c)]) for c in clients]


SCHEMES: list[dict[str, Any]] = [
    {"scheme": "iid", "clients": 7},
    {"scheme": "size", "sizes": [100, 7, 300, 1]},
    {"scheme": "linear", "clients": 7},
    {"scheme": "square", "clients": 7},
    {"scheme": "exponential", "clients": 5},
    {"scheme": "power_law", "clients": 7, "exponent": 1.5},
    {"scheme": "lognormal", "clients": 7, "sigma": 1.0},
    {"scheme": "similarity", "clients": 8, "share": 0.2},
    {"scheme": "shards", "clients": 7, "shards_per_client": 2},
    {"scheme": "pathological", "clients": 10, "labels_per_client": 2},
    {"scheme": "dirichlet", "clients": 7, "alpha": 0.3},
    {"scheme": "inner_dirichlet", "clients": 7, "alpha": 0.3},
    {"scheme": "distribution", "clients": 20, "labels_per_client": 2, "rows_per_label": 5},
    {"scheme": "continuous", "clients": 7, "by": "pixel_2_3", "strictness": 0.9},
    {"scheme": "natural", "by": "pixel_4_4"},
    {"scheme": "grouped_natural", "by": "pixel_4_4", "group_size": 3},
]
LEAVE_OUT = ("size", "shards", "inner_dirichlet", "pathological")
"""Schemes that need not use every row."""


def test_every_partition_is_tried_here() -> None:
    assert {scheme["scheme"] for scheme in SCHEMES} == set(PARTITIONS.parts)


@pytest.mark.parametrize("partition", SCHEMES, ids=lambda partition: partition["scheme"])
def test_a_row_has_at_most_one_place(partition: dict[str, Any]) -> None:
    prepared = digits(test_fraction=0.2, validation_fraction=0.1, client_holdout=0.25, partition=partition)
    rows = np.concatenate([prepared.test, prepared.validation, *shards(prepared)])
    assert len(np.unique(rows)) == len(rows)
    if partition["scheme"] not in LEAVE_OUT:
        assert len(rows) == 1797
    assert (len(prepared.test), len(prepared.validation)) == (359, 144)
    assert (prepared.training_sizes > 0).all()
    quarter = (prepared.training_sizes + prepared.holdout_sizes) / 4
    assert (np.abs(prepared.holdout_sizes - quarter) <= 0.75).all()


def test_iid_shards_are_equal_and_mixed() -> None:
    prepared = digits(partition={"scheme": "iid", "clients": 10})
    assert set(prepared.training_sizes) <= {179, 180}
    assert all(len(np.unique(prepared.y[shard])) == 10 for shard in shards(prepared))


def test_shards_give_a_client_few_labels() -> None:
    prepared = digits(partition={"scheme": "shards", "clients": 50, "shards_per_client": 2})
    assert max(len(np.unique(prepared.y[shard])) for shard in shards(prepared)) <= 4


def test_a_small_alpha_is_skewed_and_a_large_one_even() -> None:
    def largest_share(alpha: float) -> float:
        prepared = digits(partition={"scheme": "dirichlet", "clients": 5, "alpha": alpha})
        return float(np.mean([np.bincount(prepared.y[shard]).max() / len(shard) for shard in shards(prepared)]))

    assert largest_share(0.1) > 0.3
    assert largest_share(1000.0) < 0.15


def test_sizes_follow_their_law() -> None:
    def sizes(**partition: Any) -> np.ndarray:
        prepared = digits(partition=partition)
        return prepared.training_sizes

    assert sizes(scheme="size", sizes=[10, 20, 5]).tolist() == [10, 20, 5]
    linear = sizes(scheme="linear", clients=10)
    assert np.allclose(linear / linear[0], np.arange(1, 11), rtol=0.1)
    square = sizes(scheme="square", clients=5)
    assert np.allclose(square / square[0], np.arange(1, 6) ** 2, rtol=0.1)
    power = np.sort(sizes(scheme="power_law", clients=10, exponent=1.0))[::-1]
    assert np.allclose(power / power[0], 1 / np.arange(1, 11), rtol=0.05)
    assert sizes(scheme="power_law", clients=1000, exponent=3.0, min_rows=1).min() == 1
    even, uneven = (sizes(scheme="lognormal", clients=50, sigma=sigma) for sigma in (0.0, 1.5))
    assert set(even) <= {35, 36}
    assert uneven.max() > 10 * uneven.min()


def test_inner_dirichlet_proportions_are_drawn_for_each_client(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 200_000)
    np.savez(tmp_path / "rows.npz", x_train=rng.normal(size=(200_000, 1)), y_train=y)
    source = {"kind": "npz", "path": str(tmp_path / "rows.npz")}
    partition = {"scheme": "inner_dirichlet", "clients": 400, "alpha": 0.5, "sizes": [100] * 400}
    prepared = digits(source=source, partition=partition)
    shares = np.array([np.bincount(prepared.y[shard], minlength=4) / 100 for shard in shards(prepared)])
    # A share of Dirichlet(½, ½, ½, ½) is Beta(½, 3/2): mean ¼ and variance ¼·¾/3, and the draw of 100 rows adds a bit.
    assert shares.mean(axis=0) == pytest.approx([0.25] * 4, abs=0.04)
    assert shares.var(axis=0) == pytest.approx([0.0625 + (0.1875 - 0.0625) / 100] * 4, rel=0.2)


@pytest.mark.parametrize("alpha", [0.5, 0.01, 1e-3])
def test_inner_dirichlet_takes_what_is_left_when_a_label_runs_out(tmp_path: Path, alpha: float) -> None:
    y = np.repeat([0, 1, 2, 3], [5, 200, 0, 95])
    x = np.arange(300.0)[:, None]
    # Label 2 occurs in test examples only.
    np.savez(tmp_path / "rows.npz", x_train=x, y_train=y, x_test=x[:9], y_test=np.full(9, 2))
    source = {"kind": "npz", "path": str(tmp_path / "rows.npz")}
    prepared = digits(source=source, partition={"scheme": "inner_dirichlet", "clients": 10, "alpha": alpha})
    mine = np.concatenate(shards(prepared))
    assert sorted(prepared.x[mine, 0]) == x[:, 0].tolist(), "every row, once"
    assert set(prepared.training_sizes) == {30}


def test_pathological_clients_have_so_many_labels() -> None:
    prepared = digits(partition={"scheme": "pathological", "clients": 20, "labels_per_client": 3})
    assert {len(np.unique(prepared.y[shard])) for shard in shards(prepared)} == {3}


def test_a_strict_continuous_cut_sorts_by_its_column() -> None:
    partition = {"scheme": "continuous", "clients": 4, "by": "target", "strictness": 1.0}
    prepared = digits(source={"kind": "sklearn", "name": "diabetes"}, partition=partition)
    targets = [prepared.y[shard, 0] for shard in shards(prepared)]
    for lower, upper in itertools.pairwise(targets):
        assert lower.max() <= upper.min()


def test_natural_clients_are_the_groups_in_the_order_of_their_names(tmp_path: Path) -> None:
    x, y = np.zeros((60, 2)), np.arange(60) % 2
    towns = np.array(["oslo", "rome", "bern"])[np.arange(60) % 3]
    np.savez(tmp_path / "rows.npz", x_train=x, y_train=y, client=towns)
    source = {"kind": "npz", "path": str(tmp_path / "rows.npz")}
    prepared = digits(source=source, partition={"scheme": "natural"})
    assert prepared.meta.clients == ["bern", "oslo", "rome"]
    assert [set(towns[shard]) for shard in shards(prepared)] == [{"bern"}, {"oslo"}, {"rome"}]
    grouped = digits(source=source, partition={"scheme": "grouped_natural", "group_size": 2})
    assert [set(towns[shard]) for shard in shards(grouped)] == [{"bern", "oslo"}, {"rome"}]


def test_small_groups_can_be_left_out() -> None:
    prepared = digits(partition={"scheme": "natural", "by": "pixel_4_4", "min_rows": 100})
    values = [np.unique(prepared.x[shard, 36]) for shard in shards(prepared)]
    assert all(len(value) == 1 for value in values)
    assert prepared.training_sizes.min() >= 100
    assert prepared.meta.clients == [str(int(value[0])) for value in values]


def test_arithmetic_cuts_as_flower_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from common.data.partitions import iid, natural

    for module, partition in (
        (iid, {"scheme": "iid", "clients": 37}),
        (natural, {"scheme": "natural", "by": "pixel_4_4"}),
    ):
        by_flower = digits(seed=5, partition=partition)
        monkeypatch.setattr(module, "_MOST_FOR_FLOWER", 1)
        monkeypatch.setenv("HOTHOUSE_CACHE", f"{os.environ['HOTHOUSE_CACHE']}-{module.__name__}")
        by_arithmetic = digits(seed=5, partition=partition)
        monkeypatch.undo()
        assert [s.tolist() for s in shards(by_arithmetic)] == [s.tolist() for s in shards(by_flower)]


@pytest.mark.slow
def test_two_hundred_thousand_clients_are_cut_in_seconds() -> None:
    source = {"kind": "teacher", "rows": 400_000, "features": 4}
    started = time.perf_counter()
    prepared = digits(source=source, client_holdout=0.5, partition={"scheme": "iid", "clients": 200_000})
    assert time.perf_counter() - started < 20
    assert set(prepared.training_sizes) == {1}
    assert set(prepared.holdout_sizes) == {1}


def test_the_seed_decides_who_gets_what() -> None:
    def cut(seed: int) -> list[list[int]]:
        prepared = digits(seed, test_fraction=0.1, client_holdout=0.1, partition={"scheme": "dirichlet", "clients": 4})
        return [prepared.test.tolist(), *(shard.tolist() for shard in shards(prepared))]

    assert cut(1) == cut(1)
    assert cut(1) != cut(2)


def test_a_client_with_one_row_trains_on_it() -> None:
    prepared = digits(client_holdout=0.9, partition={"scheme": "iid", "clients": 1797})
    assert set(prepared.training_sizes) == {1}
    assert set(prepared.holdout_sizes) == {0}


def test_a_sources_own_test_rows_are_the_test_rows(npz: Path) -> None:
    prepared = prepare(load_scenario({"data": {"source": {"kind": "npz", "path": str(npz)}}}))
    assert prepared.test.tolist() == list(range(240, 280))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"partition": {"scheme": "iid", "clients": 2000}}, "2000 clients, but only 1797 examples to train on"),
        ({"partition": {"scheme": "dirichlet", "clients": 900, "alpha": 0.01}}, "data.partition: cannot partition"),
        (
            {"source": {"kind": "sklearn", "name": "diabetes"}, "partition": {"scheme": "dirichlet"}},
            "data.partition.scheme: dirichlet needs labels, but the task is a regression; use iid or continuous",
        ),
        ({"partition": {"scheme": "size", "sizes": [2000]}}, "data.partition.sizes: 2000 examples, but only 1797"),
        ({"partition": {"scheme": "pathological", "labels_per_client": 11}}, "at most the 10 labels there are"),
        ({"partition": {"scheme": "distribution", "clients": 7}}, "expected a multiple of the 10 labels, got 7"),
        (
            {"partition": {"scheme": "exponential", "clients": 30}},
            "sizes that are not greater than 0. Try fewer clients or less skew.",
        ),
        ({"partition": {"scheme": "power_law", "clients": 10, "min_rows": 180}}, "10 clients with 180 examples each"),
        ({"partition": {"scheme": "natural"}}, "the source names no natural clients; name a column"),
        ({"partition": {"scheme": "natural", "by": "pixl_4_4"}}, "no column 'pixl_4_4'; did you mean pixel_4_4?"),
        ({"partition": {"scheme": "natural", "by": "pixel_4_4", "min_rows": 1000}}, "no group has 1000 examples"),
        ({"partition": {"scheme": "continuous", "by": "pixel"}}, "data.partition.by: no column 'pixel'"),
        ({"partition": {"scheme": "inner_dirichlet", "sizes": [3]}}, "expected 10 sizes, one per client, got 1"),
    ],
)
def test_an_impossible_cut_is_refused_with_advice(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        digits(**data)
    assert message in str(caught.value)


def test_a_test_fraction_is_refused_where_there_are_test_rows(npz: Path) -> None:
    scenario = {"data": {"source": {"kind": "npz", "path": str(npz)}, "test_fraction": 0.1}}
    with pytest.raises(InputError, match=r"data\.test_fraction: the source has 40 test examples of its own"):
        prepare(load_scenario(scenario))


class TestTheCache:
    """One folder, made once, whole or not there."""

    @pytest.fixture(autouse=True)
    def _own_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = tmp_path / "cache"
        monkeypatch.setenv("HOTHOUSE_CACHE", str(self.folder))

    def test_the_same_data_is_prepared_once(self) -> None:
        stamp = (digits().folder / "shards.npy").stat().st_mtime_ns
        assert (digits().folder / "shards.npy").stat().st_mtime_ns == stamp
        assert digits(seed=2).folder != digits().folder

    def test_two_that_ask_at_once_get_the_same(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            folders = list(pool.map(lambda _: digits().folder, range(4)))
        assert len(set(folders)) == 1
        assert [entry.name for entry in folders[0].parent.iterdir() if entry.name.startswith(".")] == []

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
    def test_a_damaged_folder_is_made_anew(self, damage: str) -> None:
        prepared = digits()
        good, file = shards(prepared)[0].tolist(), prepared.folder / "shards.npy"
        content = bytearray(file.read_bytes())
        del prepared
        if damage == "missing":
            file.unlink()
        else:
            content[-8] ^= 255
            file.write_bytes(content[:-16] if damage == "truncated" else content)
        assert shards(digits())[0].tolist() == good

    def test_a_cache_that_cannot_be_written_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder.write_text("a file where the folder should be")
        with pytest.raises(InputError, match=r"cannot be written .*; set HOTHOUSE_CACHE"):
            digits()

    def test_a_full_disk_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*arguments: Any) -> None:
            raise OSError(28, os.strerror(28), "x.npy")

        monkeypatch.setattr(np, "save", full)
        with pytest.raises(InputError, match="No space left on device"):
            digits()
        assert not list(self.folder.glob("rows/*/x.npy"))
