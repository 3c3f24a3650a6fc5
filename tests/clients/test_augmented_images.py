"""Augmentations of images against SciPy, NumPy and colorsys."""

from __future__ import annotations

import colorsys
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from clients.augmentation.chosen import PlacedAugmentation
from clients.augmentation.images import compose_maps, resample
from common import seeds
from common.augmentation.geometry import Crop, Flip, Rotation, Scale, Shear, Shift, identity
from common.augmentation.images import Blur, Erasing, adjust_brightness, adjust_contrast, adjust_saturation, rotate_hue
from common.draws import normals
from common.scenario.augmentation import AUGMENTATIONS, GeometricAugmentation, ImageAugmentation
from tests.pipelines import images_meta, keys, on_images, pipeline

RNG = np.random.default_rng(5)


def smooth(height: int = 20, width: int = 26) -> np.ndarray:
    """An image that fades to black at its edges."""
    return ndimage.gaussian_filter(np.pad(RNG.random((height - 12, width - 12)), 6), 1.5)


def mapped(image: np.ndarray, spec: Any, u: tuple[float, float]) -> np.ndarray:
    """An image after one geometric augmentation whose draws are given."""
    maps = spec.maps(np.array([u]), *image.shape)
    return resample(torch.tensor(image)[None, None], maps)[0, 0].numpy()


def affine(image: np.ndarray, matrix: list[list[float]], offset: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """SciPy's bilinear resampling about the middle; `matrix` leads from (line, column) to where it is from."""
    middle = (np.array(image.shape) - 1) / 2
    start = middle - np.array(matrix) @ middle + np.array(offset)
    return ndimage.affine_transform(image, np.array(matrix), start, order=1, mode="grid-constant")


@pytest.mark.parametrize("u", [0.0, 0.21, 0.5, 0.83])
def test_rotation_is_scipys(u: float) -> None:
    image = smooth()
    angle = (2 * u - 1) * 40
    expected = ndimage.rotate(image, angle, reshape=False, order=1, mode="grid-constant")
    assert np.allclose(mapped(image, Rotation(degrees=40.0), (u, 0.5)), expected, atol=1e-12)


@pytest.mark.parametrize(("degrees", "turns"), [(0.0, 0), (90.0, 1), (180.0, 2)])
def test_quarter_turns_are_exact_and_counter_clockwise(degrees: float, turns: int) -> None:
    image = RNG.random((9, 9))
    found = mapped(image, Rotation(degrees=degrees), (1.0, 0.5))
    assert np.allclose(found, np.rot90(image, turns), atol=1e-12)
    assert np.allclose(mapped(image, Rotation(degrees=degrees), (0.0, 0.5)), np.rot90(image, -turns), atol=1e-12)


def test_shift_is_scipys() -> None:
    image = smooth()
    found = mapped(image, Shift(fraction=0.2), (0.9, 0.35))
    right, down = 0.8 * 0.2 * 26, -0.3 * 0.2 * 20
    assert np.allclose(found, ndimage.shift(image, (down, right), order=1, mode="grid-constant"), atol=1e-12)


def test_a_shift_by_whole_pixels_is_exact() -> None:
    image = RNG.random((10, 20))
    found = mapped(image, Shift(fraction=0.2), (1.0, 0.0))
    expected = np.zeros_like(image)
    expected[:-2, 4:] = image[2:, :-4]
    assert np.allclose(found, expected, atol=1e-12)


def test_a_crop_is_a_window_of_the_padded_image() -> None:
    image, padding = RNG.random((6, 7)), 3
    padded = np.pad(image, padding)
    seen = set()
    for row, column in np.ndindex(7, 7):
        found = mapped(image, Crop(padding=padding), ((column + 0.5) / 7, (row + 0.5) / 7))
        assert np.allclose(found, padded[row : row + 6, column : column + 7], atol=1e-12)
        seen.add(found.tobytes())
    assert len(seen) == 49


def test_flips_are_numpys() -> None:
    image = RNG.random((6, 7))
    assert np.allclose(mapped(image, Flip(), (0.5, 0.5)), np.fliplr(image), atol=1e-12)
    assert np.allclose(mapped(image, Flip(direction="vertical"), (0.5, 0.5)), np.flipud(image), atol=1e-12)


def test_scale_is_scipys() -> None:
    image = smooth()
    for u in (0.0, 0.7):
        back = 1 / (1 + (2 * u - 1) * 0.3)
        found = mapped(image, Scale(amount=0.3), (u, 0.5))
        assert np.allclose(found, affine(image, [[back, 0], [0, back]]), atol=1e-12)


def test_shear_moves_lines_sideways() -> None:
    image = smooth()
    for u in (0.1, 0.8):
        slant = math.tan(math.radians((2 * u - 1) * 25))
        found = mapped(image, Shear(degrees=25.0), (u, 0.5))
        assert np.allclose(found, affine(image, [[1, 0], [-slant, 1]]), atol=1e-12)


def test_composed_maps_are_one_after_the_other() -> None:
    image = np.pad(RNG.random((4, 4)), 6)
    maps = identity(1)
    for spec, u in (
        (Rotation(degrees=90.0), 1.0),
        (Shift(fraction=0.125), 1.0),
        (Flip(), 0.5),
    ):
        maps = compose_maps(maps, spec.maps(np.full((1, 2), u), 16, 16))
    turned_and_moved = np.roll(np.rot90(image), (2, 2), axis=(0, 1))
    found = resample(torch.tensor(image)[None, None], maps)[0, 0].numpy()
    assert np.allclose(found, np.fliplr(turned_and_moved), atol=1e-12)


def test_consecutive_moves_are_one_resampling() -> None:
    images = RNG.random((50, 8, 8))
    turn = {"kind": "rotation", "degrees": 20.0}
    blurred = on_images(on_images(images, turn), {"kind": "flip"})
    once = on_images(images, turn, {"kind": "flip"}, {"kind": "flip"}, {"kind": "flip"})
    assert np.allclose(once, blurred, atol=1e-12), "a flip blurs nothing"
    shrunk_and_enlarged = on_images(images, {"kind": "scale", "amount": 0.9}, {"kind": "shear", "degrees": 0.0})
    assert np.allclose(shrunk_and_enlarged, on_images(images, {"kind": "scale", "amount": 0.9}), atol=1e-12)


def test_brightness_is_a_factor_and_stops_at_white() -> None:
    pixels = RNG.random((2, 1, 4, 4))
    factor = torch.tensor([1.5, 0.5], dtype=torch.float64).view(-1, 1, 1, 1)
    found = adjust_brightness(torch.tensor(pixels), factor, 1.0).numpy()
    assert np.allclose(found[0], np.minimum(1.5 * pixels[0], 1))
    assert np.allclose(found[1], 0.5 * pixels[1])


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_spreads_about_the_mean_grey(channels: int) -> None:
    pixels = 0.3 + 0.4 * RNG.random((1, channels, 4, 4))
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.ones(1)
    mean = np.einsum("c,chw->hw", weights, pixels[0]).mean()
    found = adjust_contrast(torch.tensor(pixels), torch.full((1, 1, 1, 1), 1.3, dtype=torch.float64), 1.0).numpy()
    assert np.allclose(found, np.clip(mean + 1.3 * (pixels - mean), 0, 1))


def test_saturation_zero_is_grey() -> None:
    pixels = RNG.random((1, 3, 4, 4))
    grey = np.einsum("c,chw->hw", [0.299, 0.587, 0.114], pixels[0])
    nothing, half = (torch.full((1, 1, 1, 1), factor, dtype=torch.float64) for factor in (0.0, 0.5))
    assert np.allclose(adjust_saturation(torch.tensor(pixels), nothing, 1.0).numpy(), grey)
    assert np.allclose(adjust_saturation(torch.tensor(pixels), half, 1.0).numpy(), (grey + pixels) / 2)


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.1, 0.33])
def test_hue_turns_as_in_colorsys(turn: float) -> None:
    pixels = RNG.random((1, 3, 5, 5))
    pixels[0, :, 0, 0] = 0.4, 0.4, 0.4
    found = rotate_hue(torch.tensor(pixels), torch.full((1, 1, 1, 1), turn, dtype=torch.float64)).numpy()
    for row, column in np.ndindex(5, 5):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixels[0, :, row, column])
        assert np.allclose(found[0, :, row, column], colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))


def test_color_jitter_stays_within_its_ranges() -> None:
    images = np.full((400, 4, 4, 3), 0.5) + np.array([0.1, 0.0, -0.1])
    found = on_images(images, {"kind": "color_jitter", "contrast": 0.0, "saturation": 0.0, "hue": 0.0})
    factors = found[:, 0, 0, 0] / 0.6
    assert np.allclose(found, images * factors[:, None, None, None])
    assert factors.min() > 0.8
    assert factors.max() < 1.2
    assert factors.std() == pytest.approx(0.4 / math.sqrt(12), rel=0.1)
    hues = on_images(images, {"kind": "color_jitter", "brightness": 0.0, "contrast": 0.0, "saturation": 0.0})
    assert np.allclose(hues.max(axis=3), 0.6), "a turn of the hue leaves the value"
    assert hues.std(axis=0).max() > 0.01


def test_noise_is_normal() -> None:
    images = np.full((300, 28, 28), 0.5)
    z = (on_images(images, {"kind": "noise", "sigma": 0.02}, white=None) - 0.5) / 0.02
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.01)
    assert (z**3).mean() == pytest.approx(0, abs=0.03)
    assert (z**4).mean() == pytest.approx(3, abs=0.05)
    # The standard normal distribution: one number in 22 lies beyond ±2, one in 370 beyond ±3.
    assert (np.abs(z) > 2).mean() == pytest.approx(0.0455, rel=0.05)
    assert (np.abs(z) > 3).mean() == pytest.approx(0.0027, rel=0.15)
    flat = z.reshape(300, -1)
    assert np.abs(np.corrcoef(flat[:20])[~np.eye(20, dtype=bool)]).max() < 0.15
    assert abs(np.corrcoef(flat[:, :-1].ravel(), flat[:, 1:].ravel())[0, 1]) < 0.01


def test_normal_numbers_have_variance_one() -> None:
    z = normals(keys(2000), 999).double()
    assert z.shape == (2000, 999)
    assert float(z.var()) == pytest.approx(1, abs=0.003)


def test_noise_and_brightness_are_in_the_unit_of_white() -> None:
    images = np.full((100, 8, 8), 128.0)
    found = on_images(images, {"kind": "noise", "sigma": 0.1}, white=255.0)
    assert (found - 128).std() == pytest.approx(25.5, rel=0.05)
    assert found.min() >= 0
    assert on_images(images * 1.99, {"kind": "noise", "sigma": 0.1}, white=255.0).max() == 255


def test_a_rectangle_is_erased() -> None:
    images = np.ones((200, 20, 30))
    found = on_images(images, {"kind": "erasing", "area": [0.1, 0.3], "aspect": [0.5, 2.0]})
    for image in found:
        lines, columns = np.flatnonzero((image == 0).any(axis=1)), np.flatnonzero((image == 0).any(axis=0))
        inside = image[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
        assert (inside == 0).all(), "the erased pixels fill a rectangle"
        assert 0.08 < inside.size / image.size < 0.33
        assert 0.4 < len(lines) / len(columns) < 2.5
    assert (found == 0).mean() == pytest.approx(0.2, abs=0.02)
    assert (found == 0).any(axis=0).all(), "anywhere in the image"


def test_a_rectangle_can_be_of_any_brightness() -> None:
    found = on_images(np.zeros((5, 8, 8)), {"kind": "erasing", "value": 0.5, "area": [1.0, 1.0]}, white=255.0)
    assert set(np.unique(found)) <= {0.0, 127.5}
    assert (found == 127.5).mean() > 0.3


@given(
    u=st.lists(st.tuples(*[st.floats(0, 1, exclude_max=True)] * 4), min_size=1, max_size=5),
    area=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)).map(sorted),
    aspect=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)).map(sorted),
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
)
def test_rectangles_lie_in_the_image(u: Any, area: Any, aspect: Any, size: tuple[int, int]) -> None:
    spec = Erasing(area=tuple(area), aspect=tuple(aspect))
    top, left, tall, wide = spec.rectangles(np.array(u), *size)
    assert (tall >= 1).all()
    assert (wide >= 1).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + tall <= size[0]).all()
    assert (left + wide <= size[1]).all()


ALL = [name for name, part in AUGMENTATIONS.parts.items() if issubclass(part, ImageAugmentation)]


@pytest.mark.parametrize("kind", ALL)
def test_probability_is_how_many_images_are_changed(kind: str) -> None:
    images = 0.2 + 0.6 * RNG.random((1000, 5, 5, 3))
    assert np.array_equal(on_images(images, {"kind": kind, "probability": 0.0}), images)
    # A narrow blur is none.
    wide = {"sigma": 9.0} if kind == "blur" else {}
    for probability in (0.3, 1.0):
        changed = (on_images(images, {"kind": kind, "probability": probability, **wide}) != images).any(axis=(1, 2, 3))
        # A crop may be the image itself: one in 25.
        assert changed.mean() == pytest.approx(probability, abs=0.06)


@pytest.mark.parametrize("kind", sorted(set(ALL) - {"color_jitter"}))
@pytest.mark.parametrize("shape", [(28, 28), (3, 9, 7), (9, 7, 3), (1, 5, 6), (6, 5, 1)])
def test_images_of_all_shapes_are_the_same_images(kind: str, shape: tuple[int, ...]) -> None:
    """What becomes of a channel does not depend on how the image lies in its row."""
    images = RNG.random((4, *shape))
    found = on_images(images, {"kind": kind})
    assert found.shape == images.shape
    if len(shape) == 3 and kind != "noise":
        last = shape[2] < 4
        other = np.moveaxis(images, 3, 1) if last else np.moveaxis(images, 1, 3)
        turned_round = on_images(other, {"kind": kind})
        assert np.allclose(found, np.moveaxis(turned_round, 1, 3) if last else np.moveaxis(turned_round, 3, 1))


SETTINGS: dict[str, dict[str, tuple[float, float]]] = {
    "rotation": {"degrees": (0, 180)},
    "shift": {"fraction": (0, 1)},
    "flip": {},
    "scale": {"amount": (0, 0.99)},
    "shear": {"degrees": (0, 89)},
    "brightness": {"amount": (0, 1)},
    "contrast": {"amount": (0, 1)},
    "color_jitter": {"brightness": (0, 1), "contrast": (0, 1), "saturation": (0, 1), "hue": (0, 0.5)},
    "noise": {"sigma": (0, 3)},
    "blur": {"sigma": (0, 3)},
    "erasing": {"value": (0, 1)},
}


@st.composite
def pipelines(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any augmentations of colour images in any order."""
    chosen = draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=5))
    return [
        {"kind": kind, "probability": draw(st.floats(0, 1))}
        | {name: draw(st.floats(*limits)) for name, limits in SETTINGS[kind].items()}
        for kind in chosen
    ]


SHAPES = st.tuples(st.integers(2, 12), st.integers(2, 12), st.booleans()).map(
    lambda drawn: (3, drawn[0] + 5, drawn[1] + 5) if drawn[2] else (drawn[0] + 5, drawn[1] + 5, 3)
)


@settings(max_examples=60, deadline=None)
@given(pipelines(), SHAPES, st.sampled_from([torch.float32, torch.float64]), st.integers(0, 2**40))
def test_any_pipeline_keeps_images_between_black_and_white(
    specs: list[dict[str, Any]], shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> None:
    x = torch.tensor(np.random.default_rng(seed).random((7, math.prod(shape))) * 255, dtype=dtype)
    found = pipeline(images_meta(shape, 255.0), *specs).change(keys(7, seed))(x.clone())
    assert (found.shape, found.dtype) == (x.shape, dtype)
    assert bool(torch.isfinite(found).all())
    assert float(found.min()) >= -1e-3
    assert float(found.max()) <= 255 + 1e-3


@settings(max_examples=60, deadline=None)
@given(pipelines(), SHAPES, st.integers(0, 2**40), st.integers(0, 6))
def test_what_becomes_of_a_row_does_not_depend_on_its_company(
    specs: list[dict[str, Any]], shape: tuple[int, ...], seed: int, first: int
) -> None:
    x = torch.tensor(np.random.default_rng(seed).random((7, math.prod(shape))), dtype=torch.float32)
    made, each = pipeline(images_meta(shape), *specs), keys(7, seed)
    together = made.change(each)(x.clone())
    apart = made.change(each[first:])(x[first:].clone())
    assert torch.equal(together[first:], apart)


THIN = [(8, 1, 1), (1, 1, 8), (3, 1, 8), (8, 1, 3), (1, 8, 1), (1, 1, 1)]
"""Images one pixel high or wide, channels first or last."""


@pytest.mark.parametrize("shape", THIN)
@pytest.mark.parametrize("kind", sorted(set(ALL) - {"color_jitter"}))
def test_images_one_pixel_thin_can_be_augmented(kind: str, shape: tuple[int, ...]) -> None:
    found = on_images(np.random.default_rng(0).random((5, *shape)), {"kind": kind})
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-12


@pytest.mark.parametrize("size", [(1, 8), (8, 1)])
def test_a_shift_along_a_line_of_pixels_is_scipys(size: tuple[int, int]) -> None:
    image = RNG.random(size)
    found = mapped(image, Shift(fraction=0.3), (0.8, 0.5) if size[1] > 1 else (0.5, 0.8))
    by = [0.6 * 0.3 * length if length > 1 else 0.0 for length in size]
    assert np.abs(found - ndimage.shift(image, by, order=1, mode="grid-constant")).max() < 1e-12


def test_what_leaves_a_thin_image_is_gone() -> None:
    assert (mapped(np.ones((8, 1)), Crop(padding=1), (0.99, 0.5)) == 0).all(), "one pixel to the side"


@pytest.mark.parametrize("kind", ALL)
def test_gaps_stay_gaps_and_never_spread(kind: str) -> None:
    images = RNG.random((40, 9, 9, 3))
    images[:, 3:6, 3:6] = np.nan
    images[0] = np.nan
    images[1] = RNG.random((9, 9, 3))
    found = on_images(images, {"kind": kind})
    assert np.isnan(found[0]).any()
    assert not np.isnan(found[1]).any()
    share = np.isnan(found[2:]).mean()
    assert 0.5 * 9 / 81 < share < 1.3 * 9 / 81
    if not issubclass(AUGMENTATIONS.parts[kind], GeometricAugmentation):
        assert np.array_equal(np.isnan(found), np.isnan(images))
    if kind == "flip":
        assert np.allclose(found, images[:, :, ::-1], equal_nan=True)


def test_blur_is_a_gaussian_of_a_width_of_its_own() -> None:
    images, sigma = RNG.random((4, 9, 12, 3)), 1.3
    widths = seeds.uniforms(PlacedAugmentation(0, Blur(probability=1.0)).chosen(keys(4))[1], 1)[:, 0] * sigma
    found = on_images(images, {"kind": "blur", "sigma": sigma})
    for image, width, blurred in zip(images, widths, found, strict=True):
        kernel = np.exp(-0.5 * (np.arange(-4, 5) / width) ** 2)
        expected = ndimage.correlate1d(image, kernel / kernel.sum(), axis=0, mode="nearest")
        expected = ndimage.correlate1d(expected, kernel / kernel.sum(), axis=1, mode="nearest")
        assert np.allclose(blurred, expected, atol=1e-12)
    assert np.array_equal(on_images(images, {"kind": "blur", "sigma": 0.0}), images)
