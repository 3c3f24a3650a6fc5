"""Prepared data: every row has one place, the same for the same seed, and is prepared once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data import Prepared, prepare
from common.data.partitions import PARTITIONS
from common.errors import InputError
from common.scenario import load_scenario
from common.scenario.base import name_of
from common.scenario.partitions import PARTITIONS as SPECS


def digits(seed: int = 1, **data: Any) -> Prepared:
    return prepare(load_scenario({"seed": seed, "data": {"source": {"kind": "sklearn", "name": "digits"}, **data}}))


def shards(prepared: Prepared) -> list[np.ndarray]:
    clients = prepared.clients.tolist()
    return [np.concatenate([prepared.training_rows(c), prepared.holdout_rows(c)]) for c in clients]


SCHEMES = [
    {"scheme": "iid", "clients": 7},
    {"scheme": "shards", "clients": 7, "shards_per_client": 2},
    {"scheme": "dirichlet", "clients": 7, "alpha": 0.3},
]


def test_every_partition_of_the_schema_is_registered() -> None:
    assert set(PARTITIONS) == {name_of(part, "scheme") for part in SPECS}
    assert {scheme["scheme"] for scheme in SCHEMES} == set(PARTITIONS)


@pytest.mark.parametrize("partition", SCHEMES, ids=lambda partition: partition["scheme"])
def test_a_row_has_at_most_one_place(partition: dict[str, Any]) -> None:
    prepared = digits(test_fraction=0.2, validation_fraction=0.1, client_holdout=0.25, partition=partition)
    rows = np.concatenate([prepared.test, prepared.validation, *shards(prepared)])
    assert len(np.unique(rows)) == len(rows)
    assert len(rows) >= 1797 - 14, "only shards may leave out what does not divide evenly"
    assert (len(prepared.test), len(prepared.validation)) == (359, 144)
    assert (prepared.training_sizes > 0).all()
    assert np.allclose(prepared.holdout_sizes, (prepared.training_sizes + prepared.holdout_sizes) / 4, atol=0.5)


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
        ({"partition": {"scheme": "iid", "clients": 2000}}, "2000 clients, but only 1797 rows to train on"),
        ({"partition": {"scheme": "dirichlet", "clients": 900, "alpha": 0.01}}, "data.partition: no such cut"),
        (
            {"source": {"kind": "sklearn", "name": "diabetes"}, "partition": {"scheme": "dirichlet"}},
            "data.partition.scheme: dirichlet goes by labels, and this is a regression; use iid",
        ),
    ],
)
def test_an_impossible_cut_is_refused_with_advice(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        digits(**data)
    assert message in str(caught.value)


def test_a_test_fraction_is_refused_where_there_are_test_rows(npz: Path) -> None:
    scenario = {"data": {"source": {"kind": "npz", "path": str(npz)}, "test_fraction": 0.1}}
    with pytest.raises(InputError, match=r"data\.test_fraction: the source has 40 test rows of its own"):
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
