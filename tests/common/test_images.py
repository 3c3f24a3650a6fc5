"""Folders of pictures become rows of bytes of one size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common.data import prepare
from common.data.sources import images
from common.data.sources.images import ImagesSource
from common.data.table import Table
from common.errors import InputError
from common.scenario import load_scenario

RNG = np.random.default_rng(0)
PIXELS = {name: RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8) for name in ("cat/a", "cat/b", "dog/a", "dog/B")}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, pixels in PIXELS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"{name}.{'PNG' if name.endswith('B') else 'png'}")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    return tmp_path


def read(folder: Path, **options: Any) -> Table:
    return images.read(ImagesSource(path=str(folder), **options), 0)


def test_a_class_is_a_folder(pictures: Path) -> None:
    table = read(pictures, height=6, width=9, color="rgb")
    assert (table.labels, table.y.tolist(), table.row_shape) == (["cat", "dog"], [0, 0, 1, 1], (6, 9, 3))
    # Sorted by name: B before a.
    for row, name in enumerate(("cat/a", "cat/b", "dog/B", "dog/a")):
        assert np.array_equal(table.x[row].reshape(6, 9, 3), PIXELS[name])


def test_grey_is_luma_and_sizes_are_brought_to_one(pictures: Path) -> None:
    Image.fromarray(np.full((40, 50), 200, np.uint8)).save(pictures / "cat" / "c.jpg")
    table = read(pictures, height=6, width=9)
    assert (table.x.shape, table.x.dtype, table.row_shape) == ((5, 54), np.uint8, (6, 9))
    # ITU-R 601-2, as Pillow documents it.
    luma = PIXELS["cat/a"] @ [0.299, 0.587, 0.114]
    assert np.abs(table.x[0].reshape(6, 9) - luma).max() <= 1
    assert set(table.x[2].tolist()) == {200}


def test_a_folder_of_its_own_may_hold_test_rows(pictures: Path, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    for split, names in {"train": ("cat", "dog"), "test": ("dog",)}.items():
        for name in names:
            (apart / split / name).mkdir(parents=True)
            Image.fromarray(PIXELS["dog/a"]).save(apart / split / name / "x.png")
    table = read(apart, height=6, width=9)
    assert (table.tests, table.y.tolist()) == (1, [0, 1, 1])


def test_it_is_prepared_like_any_other_source(pictures: Path) -> None:
    scenario = {
        "data": {"source": {"kind": "images", "path": str(pictures)}, "partition": {"scheme": "iid", "clients": 2}}
    }
    meta = prepare(load_scenario(scenario, ["training.augmentation=[rotation]"])).meta
    assert (meta.row_shape, meta.scaling, meta.white) == ([28, 28], "bytes", 255.0)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda here: (here / "dog" / "x.png").write_bytes(b"GIF?"),
            r"x\.png: not a picture in a format that",
        ),
        # Pillow has another program draw these: Ghostscript.
        (
            lambda here: (here / "dog" / "x.png").write_bytes(POSTSCRIPT),
            r"x\.png: not a picture in a format that",
        ),
        (lambda here: os.truncate(here / "dog" / "a.png", 60), r"a\.png: damaged"),
        (lambda here: [file.unlink() for file in here.glob("*/*")], "expected folders of pictures, one for each class"),
    ],
)
def test_what_is_no_picture_is_named(pictures: Path, spoil: Any, message: str) -> None:
    spoil(pictures)
    with pytest.raises(InputError, match=message):
        read(pictures)


def test_flat_rows_become_images_where_the_scenario_says_so(npz: Path) -> None:
    data = {"source": {"kind": "npz", "path": str(npz)}, "image": {"height": 2, "width": 3}}
    meta = prepare(load_scenario({"data": data}, ["training.augmentation=[flip]"])).meta
    assert meta.row_shape == [2, 3]
    with pytest.raises(InputError, match=r"data\.image: 3 × 3 × 1 are 9 numbers, the data has 6 numbers a row"):
        prepare(load_scenario({"data": data}, ["data.image.height=3"]))
