"""Pictures are read as a viewer shows them, in every mode that Pillow has: upright, in full range, on white."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common.data.sources import hub, images
from common.data.sources.hub import HubSource
from common.data.sources.images import ImagesSource
from common.data.sources.pictures import Pictures, formats, suffixes
from common.errors import InputError

RAMP = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
COLOURS = np.stack([RAMP, 255 - RAMP, RAMP.T], axis=2)


def stored(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    into = io.BytesIO()
    picture.save(into, form, **options)
    return into.getvalue()


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Porter and Duff 1984, over, on a ground of 255."""
    share = alpha.astype(float)[..., None] / 255
    return np.rint(colours * share + 255 * (1 - share))


def palette() -> Image.Image:
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert("P")
    picture.putpalette(COLOURS.reshape(-1).tolist() + [0] * (768 - 192))
    return picture


CLEAR = np.dstack([COLOURS, RAMP])
GREY_CLEAR = np.dstack([RAMP, RAMP.T])
MODES: dict[str, tuple[Image.Image, str, np.ndarray]] = {
    "1": (Image.fromarray(RAMP > 99), "PNG", np.where(RAMP > 99, 255, 0)),
    "L": (Image.fromarray(RAMP), "PNG", RAMP),
    "LA": (Image.fromarray(GREY_CLEAR, "LA"), "PNG", over_white(RAMP[..., None], RAMP.T)[..., 0]),
    "P": (palette(), "PNG", COLOURS),
    "RGB": (Image.fromarray(COLOURS), "PNG", COLOURS),
    "RGBA": (Image.fromarray(CLEAR), "PNG", over_white(COLOURS, RAMP)),
    "I;16": (Image.fromarray(RAMP.astype(np.uint16) * 257), "PNG", RAMP),
    "I;16 between": (Image.fromarray((RAMP.astype(np.uint16) // 2) * 257 + 60), "PNG", RAMP // 2),
    "CMYK": (Image.fromarray(COLOURS).convert("CMYK"), "TIFF", COLOURS),
    "YCbCr": (Image.fromarray(COLOURS).convert("YCbCr"), "TIFF", COLOURS),
}


@pytest.mark.parametrize("name", MODES)
def test_each_mode_is_what_a_viewer_shows(name: str) -> None:
    picture, form, shown = MODES[name]
    found = Pictures().read(stored(picture, form), name)
    assert found.dtype == np.uint8
    assert found.shape == shown.shape
    # Other colour spaces round.
    assert np.abs(found.astype(int) - shown).max() <= (3 if name == "YCbCr" else 1)


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 9, 9, 9] + [0] * 762)
    reader = Pictures()
    found = reader.read(stored(picture, transparency=0), "x", "grey")
    assert found.tolist() == [[255, 9], [9, 255]]
    assert reader.hints("here") == ["here: 1 pictures have transparent parts, which are laid on white"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_read_upright(orientation: int) -> None:
    # Exif 2.3, table 6: how row 0 and column 0 of what is stored are to be shown.
    shown = COLOURS[:6]
    turned = {
        1: shown, 2: shown[:, ::-1], 3: shown[::-1, ::-1], 4: shown[::-1], 5: shown.transpose(1, 0, 2),
        6: np.rot90(shown, 1), 7: shown[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(shown, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = stored(Image.fromarray(np.ascontiguousarray(turned[orientation])), exif=exif)
    assert np.array_equal(Pictures().read(content, "x"), shown)


@pytest.mark.parametrize(
    ("picture", "form", "message"),
    [
        (Image.fromarray(RAMP.astype(np.float32)), "TIFF", "a picture of float32, whose white is not known"),
        (Image.fromarray(RAMP.astype(np.int32) * 1000), "TIFF", "a picture of int32, whose white is not known"),
    ],
)
def test_numbers_without_a_known_white_are_refused(picture: Image.Image, form: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^here: {message}"):
        Pictures().read(stored(picture, form), "here")


def test_formats_that_start_other_programs_are_not_read() -> None:
    assert {"PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"} <= set(formats())
    assert not {"EPS", "WMF", "PDF"} & set(formats())
    assert {".png", ".jpg", ".jpeg", ".webp", ".tif", ".bmp"} <= suffixes()
    assert not {".eps", ".ps", ".wmf", ".pdf"} & suffixes()


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RAMP).save(folder / name)


def read(folder: Path) -> Any:
    return images.read(ImagesSource(path=str(folder), height=8, width=8), 0)


class TestFolders:
    def test_what_programs_leave_is_passed_over(self, tmp_path: Path) -> None:
        put(tmp_path, "ant/0.png", "bee/1.webp", "bee/2.bmp", ".ipynb_checkpoints/0-checkpoint.png", "__MACOSX/x.png")
        (tmp_path / "ant" / "._0.png").write_bytes(b"\0\5\x16\7")
        (tmp_path / "ant" / ".DS_Store").write_bytes(b"x")
        table = read(tmp_path)
        assert (table.labels, table.y.tolist(), table.hints) == (["ant", "bee"], [0, 1, 1], [])

    def test_what_is_left_out_is_named(self, tmp_path: Path) -> None:
        put(tmp_path, "ant/0.png", "bee/more/1.png", "bee/more/2.png", "bee/3.png", "cow/deep/4.png", "readme.png")
        (tmp_path / "ant" / "notes.txt").write_text("x")
        table = read(tmp_path)
        assert table.labels == ["ant", "bee"]
        assert table.hints == [
            f"{tmp_path}: 3 files in folders below a class's left out, such as bee/more/1.png",
            f"{tmp_path}: 1 files of other kinds left out, such as ant/notes.txt",
            f"{tmp_path}: 1 files outside the classes' folders left out, such as readme.png",
            f"{tmp_path}: 1 folders without an example left out, such as cow",
        ]

    @pytest.mark.parametrize("name", ["val", "valid", "validation"])
    def test_validation_pictures_are_the_servers_for_judging(self, tmp_path: Path, name: str) -> None:
        put(tmp_path, "train/ant/0.png", "train/bee/0.png", f"{name}/ant/0.png", f"{name}/bee/0.png", "test/bee/0.png")
        table = read(tmp_path)
        assert (table.tests, table.validations, table.y.tolist()) == (1, 2, [0, 1, 0, 1, 1])

    def test_two_folders_for_one_split_are_refused(self, tmp_path: Path) -> None:
        put(tmp_path, "train/ant/0.png", "val/ant/0.png", "validation/ant/0.png")
        with pytest.raises(InputError, match="are both for validation; keep one"):
            read(tmp_path)


@pytest.mark.parametrize("name", ["P", "RGBA", "I;16", "1", "LA"])
def test_the_hubs_format_is_read_alike(tmp_path: Path, name: str) -> None:
    datasets = pytest.importorskip("datasets")
    picture, form, _ = MODES[name]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = {"image": [{"bytes": stored(picture, form), "path": None}] * 2, "label": [0, 1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "train-00000.parquet")
    table = hub.read(HubSource(name=str(tmp_path), test=None), 0)
    expected = Pictures().read(stored(picture, form), name)
    assert table.row_shape == expected.shape
    assert np.array_equal(table.x[1].reshape(expected.shape), expected)
