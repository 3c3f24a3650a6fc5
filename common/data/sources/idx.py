"""MNIST-style idx files: images and labels, training and test, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.sources.files import digest, existing_folder
from common.data.table import Table, encode
from common.errors import InputError
from common.scenario.sources import IdxSource

_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def fingerprint(spec: IdxSource) -> str:
    """A hash of the four files."""
    return digest(_files(spec))


def read(spec: IdxSource) -> Table:
    """Both splits; images are flattened and keep their number type."""
    images, labels, test_images, test_labels = (_array(path) for path in _files(spec))
    for pictures, answers, file in ((images, labels, _NAMES[1]), (test_images, test_labels, _NAMES[3])):
        if answers.ndim != 1 or len(answers) != len(pictures):
            raise InputError(f"{file}: expected {len(pictures)} labels, one per image, found {answers.shape}")
    if images.shape[1:] != test_images.shape[1:]:
        raise InputError(f"{_NAMES[2]}: expected images of {images.shape[1:]}, found {test_images.shape[1:]}")
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
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:
        raise InputError(f"{path}: not an idx file (it starts with {content[:4].hex(' ') or 'nothing'})")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise InputError(f"{path}: ends within the idx header")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, 4))
    kind = np.dtype(_TYPES[content[2]])
    promised, found = math.prod(shape) * kind.itemsize, len(content) - start
    if promised != found:
        raise InputError(f"{path}: the header promises {promised} bytes for {shape}, the file has {found}")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="), copy=False)
