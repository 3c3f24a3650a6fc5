"""The cache: folders that are made once, by one process, and are either whole or not there."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from common.cache_folder import cache_folder
from common.data.sums import damaged, write_sums
from common.errors import InputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def make_once(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The cached folder of this kind and key; `make` fills it where it is missing or damaged.

    Several processes may ask at once: one makes it, the others wait. The folder appears by a rename, so a
    half-written one is never seen. Raises InputError where the cache cannot be written.
    """
    name = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    folder = cache_folder() / kind / name
    try:
        cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.parent / f"{name}.lock"):
            if folder.exists() and damaged(folder):
                shutil.rmtree(folder)
            if not folder.exists():
                _make(folder, make)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = error.filename or folder
        raise InputError(
            f"{where}: the data cache cannot be written ({error.strerror}); set HOTHOUSE_CACHE to a folder with room"
        ) from None
    return folder


def scratch(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """An array of zeros in a nameless file of the cache, for tables larger than memory.

    Its room on the disk is taken at once: a disk that fills up later would end the process. Raises OSError.
    """
    with tempfile.TemporaryFile(dir=cache_folder()) as file:
        os.posix_fallocate(file.fileno(), 0, math.prod(shape) * np.dtype(dtype).itemsize)
        array: NDArray[Any] = np.memmap(file, dtype=dtype, mode="r+", shape=shape)
    return array


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    # Not by mkdtemp: like its files the folder is to be open to whom the umask lets in, to no others.
    building = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    building.mkdir()
    try:
        make(building)
        write_sums(building)
        for path in building.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
