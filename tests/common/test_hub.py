"""Data sets in the hub's format, from a folder on this machine: images, texts, tables; offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.sources import hub
from common.data.sources.hub import HubSource
from common.data.table import Column, Table
from common.errors import InputError
from common.scenario import load_scenario


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("hub"))


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows))


def read(folder: Path, **options: Any) -> Table:
    return hub.read(HubSource(name=str(folder), **options), 0)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    folder = tmp_path / "reviews"
    folder.mkdir()
    rows = [{"text": f"number {n}", "label": n % 2, "author": f"a{n % 3}", "stars": n / 2} for n in range(9)]
    lines(folder / "train.jsonl", rows)
    lines(folder / "test.jsonl", rows[:4])
    return folder


def test_texts_with_their_authors(reviews: Path) -> None:
    table = read(reviews, features=["text"], client="author")
    assert (table.texts or [])[:2] == ["number 0", "number 1"]
    assert (table.labels, table.tests, len(table.y)) == ([0, 1], 4, 13)
    assert table.groups is not None
    assert (table.group_names, table.groups.tolist()) == (["a0", "a1", "a2"], [0, 1, 2] * 3)


def test_tables_of_numbers_and_texts(reviews: Path) -> None:
    table = read(reviews, features=["stars", "author"], target="label")
    assert table.columns == [Column("stars"), Column("author", ("a0", "a1", "a2"))]
    assert table.x[:3].tolist() == [[0.0, 0], [0.5, 1], [1.0, 2]]
    assert read(reviews, features=["label"], target="stars").task == "regression"


def test_a_data_set_without_test_rows(reviews: Path) -> None:
    assert read(reviews, features=["stars"], test=None).tests == 0
    (reviews / "test.jsonl").unlink()
    assert read(reviews, features=["stars"]).tests == 0


def test_a_split_that_the_scenario_names_must_be_there(reviews: Path) -> None:
    with pytest.raises(InputError, match=r"^data\.source\.test: .* has no split 'tset'; did you mean test\?$"):
        read(reviews, features=["stars"], test="tset")
    with pytest.raises(InputError, match=r"has no split 'validation'; it has train, test$"):
        read(reviews, features=["stars"], test="validation")


def test_gaps_are_missing_values(tmp_path: Path) -> None:
    given = {"a": [0.0, None, 2.0, 3.0], "c": ["x", "y", None, "y"], "t": ["t", "t", "t", None], "y": [0, 1, 0, 1]}
    rows = [{name: values[n] for name, values in given.items()} for n in range(4)]
    lines(tmp_path / "train.jsonl", rows)
    table = read(tmp_path, target="y", features=["a", "c"])
    assert table.columns == [Column("a"), Column("c", ("x", "y"))]
    np.testing.assert_array_equal(table.x, [[0, 0], [np.nan, 1], [2, np.nan], [3, 1]])
    texts = read(tmp_path, target="y", features=["t"])
    assert (texts.texts, texts.hints) == (["t", "t", "t", ""], ["t: 1 texts are missing and are read as empty ones"])


def test_class_labels_as_features_are_categories(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    colour, number = datasets.ClassLabel(names=["red", "blue"]), datasets.Value("float64")
    features = datasets.Features({"colour": colour, "y": datasets.Value("int64"), "v": number})
    given = {"colour": [0, 1, -1, 0], "y": [0, 1, 0, 1], "v": [0.5, 1.5, 2.5, 3.5]}
    datasets.Dataset.from_dict(given, features=features).save_to_disk(tmp_path / "saved")
    table = read(tmp_path / "saved", target="y")
    assert table.columns == [Column("colour", ("blue", "red")), Column("v")]
    np.testing.assert_array_equal(table.x, [[1, 0.5], [0, 1.5], [np.nan, 2.5], [1, 3.5]])


def test_what_save_to_disk_wrote_with_its_splits(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    part = datasets.Dataset.from_dict({"v": [1.0, 2.0, 3.0], "label": [0, 1, 0]})
    datasets.DatasetDict({"train": part, "test": part.select([0])}).save_to_disk(tmp_path / "saved")
    table = read(tmp_path / "saved")
    assert (table.tests, table.x.ravel().tolist()) == (1, [1.0, 2.0, 3.0, 1.0])


def test_a_folder_is_relative_to_the_scenario(reviews: Path) -> None:
    text = "data: {source: {kind: hub, name: reviews, features: [stars]}}\n"
    (reviews.parent / "s.yaml").write_text(text)
    assert load_scenario(reviews.parent / "s.yaml").data.source.name == str(reviews)  # type: ignore[union-attr]
    (reviews.parent / "s.yaml").write_text(text.replace("name: reviews", "name: owner/reviews"))
    assert load_scenario(reviews.parent / "s.yaml").data.source.name == "owner/reviews"  # type: ignore[union-attr]


def test_images_in_folders_by_label(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / "pets" / split / label
            folder.mkdir(parents=True)
            for n in range(2):
                pillow.fromarray(np.full((5, 4), n * 100 + 50, np.uint8)).save(folder / f"{n}.png")
    table = read(tmp_path / "pets")
    assert (table.x.shape, table.x.dtype, table.row_shape) == ((8, 20), np.uint8, (5, 4))
    assert (table.labels, table.tests) == (["cat", "dog"], 4)
    assert sorted(np.unique(table.x)) == [50, 150]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "lable"}, "data.source.target: .* has no column 'lable'; it has text, label, author, stars"),
        ({"features": ["words"]}, "data.source.features: .* has no column 'words'"),
        ({"train": "training"}, "data.source.train: .* has no split 'training'"),
    ],
)
def test_what_is_not_there_is_named(reviews: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(reviews, **options)


@pytest.mark.slow
def test_the_hub_out_of_reach_is_said_so() -> None:
    with pytest.raises(InputError, match=r"data\.source\.name: nobody/nothing cannot be loaded"):
        hub.read(HubSource(name="nobody/nothing"), 0)


def test_a_folder_is_known_by_its_content(reviews: Path) -> None:
    spec = HubSource(name=str(reviews))
    before = hub.fingerprint(spec)
    lines(reviews / "test.jsonl", [{"text": "new", "label": 0, "author": "a", "stars": 1.0}])
    assert hub.fingerprint(spec) != before
