"""MNIST-style idx files: images and labels, training and test, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.labels import encode
from common.data.sources.files import digest, existing_folder
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import FilePath, key
from common.scenario.sources import SourcePart


class IdxSource(SourcePart, name="idx", runs="common.data.sources.idx"):
    """A folder with the four files of MNIST's format: images and labels, training and test."""

    path: FilePath = key(
        "The folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte, each plain or with .gz."
    )


_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
seeded = False

_PIECE = 1 << 20
_MOST_DIMENSIONS = 8
_GZIP = b"\x1f\x8b"
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def fingerprint(spec: IdxSource) -> str:
    """A hash of the four files."""
    return digest(_files(spec))


def read(spec: IdxSource, seed: int) -> Table:
    """Both splits; images are flattened and keep their number type."""
    images, labels, test_images, test_labels = (_array(path) for path in _files(spec))
    for pictures, answers, name in ((images, labels, _NAMES[1]), (test_images, test_labels, _NAMES[3])):
        if answers.ndim != 1 or len(answers) != len(pictures):
            raise InputError(
                f"{spec.path}/{name}: expected {len(pictures)} labels, one per image, found {answers.shape}"
            )
    if images.shape[1:] != test_images.shape[1:]:
        raise InputError(
            f"{spec.path}/{_NAMES[2]}: expected images of {images.shape[1:]}, found {test_images.shape[1:]}"
        )
    x = np.concatenate([images, test_images])
    codes, names = encode(np.concatenate([labels, test_labels]))
    flat = x.reshape(len(x), -1)
    return Table(flat, codes, "classification", names, tests=len(test_labels), row_shape=x.shape[1:] or (1,))


def _files(spec: IdxSource) -> list[Path]:
    folder = existing_folder(spec.path, "data.source.path")
    files = []
    for name in _NAMES:
        # Some copies of the data set write t10k-images.idx3-ubyte.
        spellings = [name, name.replace("-idx", ".idx")]
        found = [path for spelling in spellings for path in (folder / spelling, folder / f"{spelling}.gz")]
        file = next((path for path in found if path.is_file()), None)
        if file is None:
            raise InputError(f"{folder} has no file {name} or {name}.gz", "data.source.path")
        files.append(file)
    return files


def _array(path: Path) -> NDArray[Any]:
    """The array in an idx file: two zero bytes, a type, a number of dimensions, their sizes, the numbers."""
    try:
        with path.open("rb") as file:
            # By its content: browsers unpack a file and leave it its name.
            zipped = file.peek(2)[:2] == _GZIP
            return _numbers(gzip.GzipFile(fileobj=file) if zipped else file, path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _numbers(file: gzip.GzipFile | BufferedReader, path: Path) -> NDArray[Any]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or start[3] == 0:
        raise InputError(f"{path}: not an idx file (it starts with {start.hex(' ') or 'nothing'})")
    dimensions = start[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise InputError(f"{path}: ends within the idx header")
    if dimensions > _MOST_DIMENSIONS:
        raise InputError(f"{path}: the header promises {dimensions} dimensions; expected at most {_MOST_DIMENSIONS}")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    kind = np.dtype(_TYPES[start[2]])
    promised, content = math.prod(shape) * kind.itemsize, bytearray()
    # Piece by piece: neither what a header promises nor what a small gzip file unfolds to is taken on trust.
    while len(content) <= promised and (piece := file.read(_PIECE)):
        content += piece
    if len(content) != promised:
        found = "more" if len(content) > promised else len(content)
        raise InputError(f"{path}: the header promises {promised:.15g} bytes for {shape}, the file has {found}")
    return np.frombuffer(content, kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)
