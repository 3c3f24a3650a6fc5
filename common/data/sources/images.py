"""Pictures: a folder of PNG or JPEG files for each class, all brought to one size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.labels import encode
from common.data.sources.files import digest, existing_folder
from common.data.table import Table
from common.errors import InputError
from common.scenario.sources import ImagesSource

seeded = False

_SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_SPLITS = ("train", "test")


def fingerprint(spec: ImagesSource) -> str:
    """A hash of all files, and their places."""
    files = [file for split in _files(spec).values() for file in split]
    return f"{digest(files)} {[str(file.relative_to(spec.path)) for file in files]}"


def read(spec: ImagesSource, seed: int) -> Table:
    """Rows of bytes, flattened; the pictures of a folder `test` come last."""
    files = _files(spec)
    every = [file for split in _SPLITS for file in files[split]]
    x = np.stack([_pixels(file, spec) for file in every])
    codes, labels = encode(np.array([file.parent.name for file in every]))
    return Table(
        x.reshape(len(x), -1), codes, "classification", labels, tests=len(files["test"]), row_shape=x.shape[1:]
    )


def _files(spec: ImagesSource) -> dict[str, list[Path]]:
    """The pictures to train on and those to test on, each folder's sorted by name."""
    folder = existing_folder(spec.path, "data.source.path")
    folders = {entry.name for entry in folder.iterdir() if entry.is_dir()}
    apart = "train" in folders and folders <= set(_SPLITS)
    trained_on = _pictures(folder / "train" if apart else folder)
    if not trained_on:
        raise InputError(
            f"expected folders of PNG or JPEG files, one for each class; {folder / 'train' if apart else folder} has "
            "none",
            "data.source.path",
        )
    return {"train": trained_on, "test": _pictures(folder / "test") if apart else []}


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*/*") if file.suffix.lower() in _SUFFIXES and file.is_file())


def _pixels(file: Path, spec: ImagesSource) -> NDArray[Any]:
    """A picture as bytes, (height, width) or (height, width, 3)."""
    from PIL import Image, UnidentifiedImageError

    try:
        # Only what is named: other formats start other programs, as EPS does Ghostscript.
        with Image.open(file, formats=_FORMATS) as picture:
            fitted = picture.convert("L" if spec.color == "grey" else "RGB").resize(
                (spec.width, spec.height), Image.Resampling.BILINEAR
            )
        return np.asarray(fitted)
    except UnidentifiedImageError:
        raise InputError(f"{file}: not a PNG or JPEG picture") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: damaged picture ({error})") from None
