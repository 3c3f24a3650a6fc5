"""Arrays in .npy and .npz files, which are not trusted: no pickles, no size that only a header promises."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError

_PIECE = 1 << 24
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Version 3 is for names of columns in other alphabets: no plain numbers."""


def read_npy(path: Path) -> NDArray[Any]:
    """The array in an .npy file. Raises InputError where there is none, or objects."""
    try:
        with path.open("rb") as file:
            return _array(file, path.stat().st_size, str(path))
    except (EOFError, ValueError, OSError) as error:
        raise InputError(f"{path}: damaged or not an .npy file ({error})") from None


def read_npz(path: Path, wanted: Iterable[str]) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """The `wanted` arrays of an .npz archive, as far as it has them, and the names of all that it has.

    Raises InputError for another file, a damaged one, and an array of objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            found = {name: _member(archive, name, path) for name in wanted if name in names}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        if _is_npy(path):
            raise InputError(f"{path}: expected an .npz archive of named arrays, found a single array") from None
        raise InputError(f"{path}: damaged or not an .npz archive ({error})") from None
    except ValueError as error:
        raise InputError(f"{path}: not an .npz archive ({error})") from None
    return found, names


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise InputError(f"{path}: {name} is no array (it has no .npy at the end of its name)") from None
    with archive.open(entry) as file:
        array = _array(file, entry.file_size, f"{path}: {name}")
        # The checksum is compared when the end is read.
        file.read(1)
    return array


def _array(file: BinaryIO | Any, size: int, where: str) -> NDArray[Any]:
    """The array at the start of a file of `size` bytes; one of other size than that is not read."""
    version = np.lib.format.read_magic(file)
    read = _HEADERS.get(version)
    shape, by_column, kind = read(file) if read else ((), False, np.dtype(object))
    if kind.hasobject:
        raise InputError(f"{where}: an array of Python objects is never read; save plain numbers")
    promised, left = math.prod(shape) * kind.itemsize, size - file.tell()
    if promised != left:
        raise InputError(f"{where}: the header promises {promised:.15g} bytes for {shape}, there are {left}")
    content = bytearray()
    # Piece by piece, since an archive may lie about the size too.
    while len(content) < promised and (piece := file.read(min(_PIECE, promised - len(content)))):
        content += piece
    if len(content) != promised:
        raise EOFError(f"it ends after {len(content)} of {promised} bytes")
    array: NDArray[Any] = np.frombuffer(content, kind)
    return array.reshape(shape[::-1]).T if by_column else array.reshape(shape)


def _is_npy(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(6) == b"\x93NUMPY"
    except OSError:
        return False
