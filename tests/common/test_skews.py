"""Skews change clients' examples, each client's in its own way, and never the server's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data import Prepared, prepare
from common.errors import InputError
from common.scenario import load_scenario
from common.scenario.skews import SKEWS


def digits(*skew: dict[str, Any], source: str = "digits", clients: int = 4) -> Prepared:
    data = {
        "source": {"kind": "sklearn", "name": source},
        "test_fraction": 0.2,
        "partition": {"scheme": "iid", "clients": clients},
        "skew": list(skew),
    }
    return prepare(load_scenario({"seed": 3, "data": data}))


def client_rows(prepared: Prepared) -> list[np.ndarray]:
    return [prepared.training_examples(client) for client in prepared.clients.tolist()]


@pytest.mark.parametrize("kind", sorted(set(SKEWS.parts) - {"label_permutation"}))
def test_features_change_and_test_rows_do_not(kind: str) -> None:
    plain, skewed, again = digits(), digits({"kind": kind}), digits({"kind": kind})
    assert np.array_equal(skewed.x, again.x)
    assert np.array_equal(skewed.x[skewed.test], plain.x[plain.test])
    assert np.array_equal(skewed.y, plain.y)
    for rows in client_rows(skewed):
        assert not np.array_equal(skewed.x[rows], plain.x[rows])


def test_rotation_turns_images_about_their_middle() -> None:
    plain, turned = digits(), digits({"kind": "rotation", "degrees": 180.0})
    for rows in client_rows(plain):
        before = plain.x[rows].reshape(-1, 8, 8)
        after = turned.x[rows].reshape(-1, 8, 8)
        assert np.allclose(after.mean(axis=0)[3:5, 3:5].mean(), before.mean(axis=0)[3:5, 3:5].mean(), rtol=0.15)
    exact = digits({"kind": "rotation", "degrees": 1e-9})
    assert np.allclose(exact.x, plain.x, atol=1e-4)


def test_noise_grows_from_client_to_client() -> None:
    plain, noisy = digits(), digits({"kind": "noise", "sigma": 0.5})
    deviations = np.nan_to_num(plain.x.std(axis=0))
    seen = deviations > 1
    for number, rows in enumerate(client_rows(plain), start=1):
        added = (noisy.x[rows] - plain.x[rows]).std(axis=0)[seen] / deviations[seen]
        assert added.mean() == pytest.approx(0.5 * number / 4, rel=0.1)


def test_channel_shifts_are_constant_within_a_client() -> None:
    plain, shifted = digits(), digits({"kind": "channel_shift", "amount": 3.0})
    shifts = [np.unique(np.round(shifted.x[rows] - plain.x[rows], 4)) for rows in client_rows(plain)]
    assert all(len(shift) == 1 and abs(shift[0]) <= 3 for shift in shifts)
    assert len({float(shift[0]) for shift in shifts}) == 4


@pytest.mark.parametrize("seed", range(12))
def test_two_classes_are_swapped_whatever_the_seed(seed: int) -> None:
    data = {
        "source": {"kind": "sklearn", "name": "breast_cancer"},
        "partition": {"scheme": "iid", "clients": 4},
        "skew": [{"kind": "label_permutation", "clusters": 2}],
    }
    plain, permuted = (prepare(load_scenario({"seed": seed, "data": d})) for d in ({**data, "skew": []}, data))
    for client, rows in enumerate(client_rows(plain)):
        assert np.array_equal(permuted.y[rows], plain.y[rows] ^ (client % 2))


def test_no_two_clusters_permute_alike() -> None:
    plain = digits(source="iris", clients=6)
    permuted = digits({"kind": "label_permutation", "clusters": 6}, source="iris", clients=6)
    maps = {tuple(dict(zip(plain.y[r], permuted.y[r], strict=True))[k] for k in range(3)) for r in client_rows(plain)}
    assert len(maps) == 6, "all permutations of three labels"
    with pytest.raises(InputError, match="at most 6 clusters, since 3 labels have no more permutations; got 7"):
        digits({"kind": "label_permutation", "clusters": 7}, source="iris", clients=7)


def test_label_permutations_go_by_cluster_and_the_first_keeps_the_truth() -> None:
    plain, permuted = digits(), digits({"kind": "label_permutation", "clusters": 2})
    assert np.array_equal(plain.x, permuted.x)
    maps = []
    for rows in client_rows(plain):
        pairs = {(int(a), int(b)) for a, b in zip(plain.y[rows], permuted.y[rows], strict=True)}
        assert len(pairs) == 10
        maps.append(dict(pairs))
    assert maps[0] == maps[2] == {label: label for label in range(10)}
    assert maps[1] == maps[3] != maps[0]
    assert np.array_equal(permuted.y[permuted.test], plain.y[plain.test])


def test_skews_are_applied_in_turn() -> None:
    both = digits({"kind": "noise"}, {"kind": "label_permutation"})
    assert not np.array_equal(both.x, digits().x)
    assert not np.array_equal(both.y, digits().y)


@pytest.mark.parametrize(
    ("skew", "source", "message"),
    [
        ({"kind": "rotation"}, "wine", "this skew is for images; examples here have the shape (13,)"),
        ({"kind": "label_permutation"}, "diabetes", "label_permutation needs labels, but the task is a regression"),
    ],
)
def test_a_skew_that_does_not_fit_is_refused(skew: dict[str, Any], source: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        digits(skew, source=source)
    assert str(caught.value) == f"data.skew: {message}"


def test_flat_rows_that_are_images_by_the_scenario_are_turned_like_others(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (40, 8, 8)).astype(np.uint8)
    found = []
    for name, rows, image in (("flat", x.reshape(40, 64), {"height": 8, "width": 8}), ("square", x, None)):
        np.savez(tmp_path / f"{name}.npz", x_train=rows, y_train=np.arange(40) % 2)
        data = {
            "source": {"kind": "npz", "path": str(tmp_path / f"{name}.npz")},
            "partition": {"scheme": "iid", "clients": 2},
            "skew": [{"kind": "rotation", "degrees": 30}],
            **({"image": image} if image else {}),
        }
        found.append(prepare(load_scenario({"data": data})).x)
    assert np.array_equal(*found)
    assert not np.array_equal(found[0], x.reshape(40, 64))


def test_white_is_the_largest_value_after_the_skews(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x_train=rng.random((40, 6, 6)).astype(np.float32), y_train=np.arange(40) % 2)
    data = {"source": {"kind": "npz", "path": str(tmp_path / "rows.npz")}, "partition": {"scheme": "iid", "clients": 4}}

    def prepared(amount: float | None, seed: int) -> Prepared:
        skew = [] if amount is None else [{"kind": "channel_shift", "amount": amount}]
        return prepare(load_scenario({"seed": seed, "data": {**data, "skew": skew}}))

    assert prepared(None, 0).meta.white == 1.0
    for seed in range(4):
        shifted = prepared(0.5, seed)
        low, high = float(shifted.x.min()), float(shifted.x.max())
        assert shifted.meta.white == (None if low < 0 else max(1.0, high))
    assert low < 0 < 1 < high
