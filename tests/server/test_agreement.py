"""What a federation agrees on is what all rows in one place would give, however they are spread over hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from common.data import Prepared, prepare
from common.data.data_spec import DataSpec
from common.losses import balanced
from common.scenario import Scenario, load_scenario
from server.exchange.data_spec import agree_on_data
from server.exchange.federation import discover
from server.exchange.sending import Exchange
from server.grid.local import LocalGrid
from server.rounds import Rounds
from tests.federations import Watcher, named

PEOPLE = "age,city,well\n" + "".join(
    f"{20 + n % 37},{['oslo', 'rome', 'bern'][n % 3]},{'yes' if n % 4 else 'no'}\n" for n in range(120)
)


def nodes(prepared: Prepared, count: int) -> LocalGrid:
    """A grid whose nodes each have a share of the clients; with 0 nodes, one that has all."""
    place: dict[str, Any] = {"data-dir": str(prepared.folder)}
    shares = [place | {"partition-id": node, "num-partitions": count} for node in range(count)]
    return LocalGrid("clients.app:app", shares or [place], {})


def agreed(scenario: Scenario, count: int) -> DataSpec:
    prepared, grid = prepare(scenario), nodes(prepare(scenario), count)
    federation = discover(grid, prepared)
    return agree_on_data(Exchange(grid, federation.nodes), federation, prepared, scenario)


def scenario(data: dict[str, Any], **parts: Any) -> Scenario:
    return load_scenario({"seed": 2, "data": data, **parts})


@pytest.mark.parametrize("count", [0, 1, 3])
def test_scaling_is_that_of_the_pooled_training_rows(count: int) -> None:
    chosen = scenario(
        {
            "source": {"kind": "sklearn", "name": "wine"},
            "test_fraction": 0.2,
            "client_holdout": 0.2,
            "partition": {"scheme": "dirichlet", "clients": 6},
        }
    )
    prepared = prepare(chosen)
    rows = np.concatenate([prepared.training_examples(client) for client in range(6)])
    scaler = StandardScaler().fit(prepared.x[rows])
    found = agreed(chosen, count)
    assert np.allclose(found.shift, scaler.mean_, rtol=1e-12)
    assert np.allclose(found.scale, scaler.scale_, rtol=1e-10)


@pytest.mark.parametrize("count", [0, 3])
def test_labels_and_categories_that_one_client_alone_has_are_everyones(tmp_path: Path, count: int) -> None:
    lines = [*PEOPLE.splitlines(), "30,paris,maybe"]
    (tmp_path / "people.csv").write_text("\n".join(lines))
    chosen = scenario(
        {
            "source": {"kind": "csv", "path": str(tmp_path / "people.csv"), "target": "well"},
            "partition": {"scheme": "natural", "by": "city"},
        }
    )
    found = agreed(chosen, count)
    assert found.labels == ("maybe", "no", "yes")
    assert found.columns[1].categories == ("bern", "oslo", "paris", "rome")
    assert found.features == 1 + 4


def test_gaps_are_filled_by_the_federations_means_and_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,y\n1,,u\n3,5,v\n,7,u\n8,9,v\n")
    data = {
        "source": {"kind": "csv", "path": str(tmp_path / "x.csv"), "target": "y"},
        "partition": {"scheme": "iid", "clients": 2},
        "missing": "indicator",
    }
    found = agreed(scenario(data), 2)
    assert found.fill.tolist() == [4.0, 7.0]
    assert found.indicators == (0, 1)
    assert agreed(scenario({**data, "missing_statistics": "client"}), 2).own_fill


@pytest.mark.parametrize("count", [0, 3])
def test_medians_are_those_of_all_rows_to_the_last_bit(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(61, 3)) * [1, 1e-9, 1e9]
    numbers[rng.random(numbers.shape) < 0.3] = np.nan
    numbers[:4, 0] = [-0.0, 0.0, 7.5, 7.5]
    np.savez(tmp_path / "a.npz", x_train=numbers, y_train=np.arange(61) % 2)
    data = {
        "source": {"kind": "npz", "path": str(tmp_path / "a.npz")},
        "partition": {"scheme": "iid", "clients": 7},
        "missing": "median",
    }
    assert np.array_equal(agreed(scenario(data), count).fill, np.nanmedian(numbers, axis=0))


@pytest.mark.parametrize("count", [0, 3])
def test_balanced_weights_are_scikit_learns(count: int) -> None:
    data = {"source": {"kind": "sklearn", "name": "wine"}, "test_fraction": 0.3, "client_holdout": 0.1}
    data |= {"partition": {"scheme": "dirichlet", "clients": 6}}
    chosen = scenario(data, training={"loss": {"name": "cross_entropy", "class_weights": "balanced"}})
    prepared = prepare(chosen)
    found = agreed(chosen, count)
    y = prepared.y[np.concatenate([prepared.training_examples(client) for client in range(6)])]
    assert found.label_counts.tolist() == np.bincount(y).tolist()
    assert np.allclose(balanced(found.label_counts), compute_class_weight("balanced", classes=np.arange(3), y=y))
    assert agreed(scenario(data), count).label_counts.size == 0, "nobody is asked where nothing goes by them"
    assert balanced(np.array([3.0, 0.0, 1.0])).tolist() == [4 / 6, 1.0, 2.0]


def test_balanced_weights_train(tmp_path: Path) -> None:
    data = {"source": {"kind": "sklearn", "name": "wine"}, "partition": {"scheme": "iid", "clients": 3}}
    weighed = {"name": "cross_entropy", "class_weights": "balanced"}
    weights = balanced(agreed(scenario(data, training={"loss": weighed}), 0).label_counts)
    models = []
    for given in ("balanced", dict(zip(["class_0", "class_1", "class_2"], weights.tolist(), strict=True))):
        loss = {"name": "cross_entropy", "class_weights": given}
        chosen = scenario(data, training={"loss": loss}, model={"layers": [4]}, federation={"rounds": 2})
        watcher = Watcher()
        Rounds(nodes(prepare(chosen), 0), chosen, prepare(chosen), [watcher]).run()
        models.append(named(watcher.model.network))
    for name, array in models[0].items():
        assert np.allclose(array, models[1][name], atol=1e-6)


def test_a_constant_column_becomes_nought() -> None:
    found = agreed(scenario({"source": {"kind": "sklearn", "name": "digits"}}), 0)
    assert found.scale[0] == 1.0, "the first pixel is blank in every digit"
    assert np.isfinite(found.scale).all()


def test_a_vocabulary_is_agreed_from_counts(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("".join(f"{'ab'[n % 2]}\tword{n % 5} common {n}\n" for n in range(40)))
    data = {
        "source": {"kind": "text", "path": str(tmp_path / "s.tsv")},
        "partition": {"scheme": "iid", "clients": 4},
        "text": {"features": "tfidf", "min_texts": 2},
    }
    one, several = agreed(scenario(data), 0), agreed(scenario(data), 3)
    assert one.vocabulary == several.vocabulary
    assert one.vocabulary is not None
    assert one.vocabulary.terms == ("common", "word0", "word1", "word2", "word3", "word4")
    assert one.vocabulary.weights[0] == pytest.approx(1.0)
    assert one.features == 6


@pytest.mark.parametrize(
    "data",
    [
        {"source": {"kind": "sklearn", "name": "wine"}, "partition": {"scheme": "dirichlet", "clients": 6}},
        {"source": {"kind": "csv", "target": "well"}, "partition": {"scheme": "natural", "by": "city"}},
    ],
    ids=["numbers", "categories"],
)
def test_training_does_not_care_where_clients_live(tmp_path: Path, data: dict[str, Any]) -> None:
    if data["source"]["kind"] == "csv":
        (tmp_path / "people.csv").write_text(PEOPLE)
        data = {**data, "source": {**data["source"], "path": str(tmp_path / "people.csv")}}
    chosen = scenario(
        {**data, "test_fraction": 0.2, "client_holdout": 0.2},
        model={"layers": [5], "dtype": "float64"},
        federation={"rounds": 3},
    )
    watchers = []
    for count in (0, 3):
        watchers.append(Watcher())
        Rounds(nodes(prepare(chosen), count), chosen, prepare(chosen), [watchers[-1]]).run()
    one, several = watchers
    for name, array in named(one.model.network).items():
        assert np.allclose(array, named(several.model.network)[name], atol=1e-12)
    for before, after in zip(one.rounds, several.rounds, strict=True):
        assert before["holdout_loss"] == pytest.approx(after["holdout_loss"], abs=1e-12)


def test_a_model_of_texts_takes_texts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "nice", "great", "lovely"], "bad": ["awful", "poor", "sad", "grim"]}
    lines = [f"{label}\tthe {' '.join(rng.choice(words[label], 3))} day" for label in rng.choice(["good", "bad"], 200)]
    (tmp_path / "days.tsv").write_text("\n".join(lines))
    chosen = scenario(
        {
            "source": {"kind": "text", "path": str(tmp_path / "days.tsv")},
            "test_fraction": 0.2,
            "partition": {"scheme": "iid", "clients": 4},
        },
        model={"layers": []},
        training={"epochs": 5, "optimizer": {"name": "sgd", "lr": 1.0}},
    )
    watcher = Watcher()
    Rounds(nodes(prepare(chosen), 2), chosen, prepare(chosen), [watcher]).run()
    assert watcher.rounds[-1]["test_accuracy"] > 0.95
    assert watcher.model.predict(["a lovely nice day", "such a grim, sad day"]) == ["good", "bad"]
    assert watcher.model.features(["fine"]).dtype == torch.float32
