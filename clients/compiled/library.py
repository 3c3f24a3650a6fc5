"""The shared object that the package's build makes of `kernel/`: found, loaded and called."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.software import kernel_file

Kind = type | Any

_FIELDS: tuple[tuple[str, Kind], ...] = (
    ("measures", int),
    ("layers", int),
    ("widths", np.int64),
    ("activation", int),
    ("slope", float),
    ("dropout", np.float64),
    ("drop_connect", float),
    ("normalization", int),
    ("norm_eps", float),
    ("norm_momentum", float),
    ("trains", np.int64),
    ("output", int),
    ("loss", int),
    ("smoothing", float),
    ("delta", float),
    ("class_weights", np.float32),
    ("optimizer", int),
    ("states", int),
    ("nesterov", int),
    ("regularized_biases", int),
    ("fused", int),
    ("clipped", int),
    ("constants", np.float64),
    ("rates", np.float64),
    ("rate_steps", int),
    ("repeats", int),
    ("clients", int),
    ("starts", np.int64),
    ("steps", np.int64),
    ("first", np.int64),
    ("batch", int),
    ("rows", np.int64),
    ("labels", np.int64),
    ("targets", np.float32),
    ("x", None),
    ("kind", int),
    ("fill", np.float64),
    ("fill_stride", int),
    ("shift", np.float64),
    ("scale", np.float64),
    ("order_keys", np.uint64),
    ("dropout_keys", np.uint64),
    ("connection_keys", np.uint64),
    ("mixup_keys", np.uint64),
    ("forks", np.uint64),
    ("mixup", np.float64),
    ("mixup_steps", int),
    ("start", np.float32),
    ("start_stride", int),
    ("trained", np.float32),
    ("state_0", np.float32),
    ("state_1", np.float32),
    ("proximal", float),
    ("follow", float),
    ("origin", np.float32),
    ("origin_stride", int),
    ("control", np.float32),
    ("control_stride", int),
    ("taken", np.float64),
    ("losses", np.float64),
)
"""The members of `Work` in kernel/work.h: numbers, and arrays of a type (`x` of any)."""

_C_TYPES: dict[Any, Any] = {int: ctypes.c_int64, float: ctypes.c_double}


class _Work(ctypes.Structure):
    _fields_ = [(name, _C_TYPES.get(kind, ctypes.c_void_p)) for name, kind in _FIELDS]


class Library:
    """The compiled trainer."""

    def __init__(self, path: str | Path) -> None:
        """Raises OSError for a file that cannot be loaded here, or was compiled from sources of another version."""
        self._library = ctypes.CDLL(str(path))
        if not hasattr(self._library, "hothouse_work_bytes"):
            raise OSError(f"{path} is of another version")
        if self._library.hothouse_work_bytes() != ctypes.sizeof(_Work):
            raise OSError(f"{path} is of another version")
        self.lanes = int(self._library.hothouse_lanes())
        """How many numbers this processor's vectors hold, as far as they are used: 16, 8 or 4."""

    def train(self, values: dict[str, Any], lanes: int | None = None) -> None:
        """Do what the members of `Work` say; arrays that are not given are NULL.

        `lanes` overrides the width of vectors, which does not affect results. Other threads run meanwhile. The caller
        answers for shapes and positions; types and layout are checked here. Raises MemoryError where there is not
        enough memory.
        """
        work = _Work()
        for name, kind in _FIELDS:
            value = values.get(name)
            if kind in _C_TYPES:
                setattr(work, name, value or 0)
            elif value is not None:
                setattr(work, name, _address(name, value, kind))
        if self._library.hothouse_train(ctypes.byref(work), lanes or self.lanes):
            raise MemoryError("not enough memory to train a client")

    def add(
        self,
        totals: NDArray[np.float32],
        rows: NDArray[np.float32],
        weights: NDArray[np.float32],
        owners: NDArray[np.int64],
    ) -> None:
        """totals[owners] += weights·rows, row after row: totals (any, numbers), rows (count, numbers)."""
        arrays = {"totals": totals, "rows": rows, "weights": weights}
        places = [_address(name, array, np.float32) for name, array in arrays.items()]
        pointers = map(ctypes.c_void_p, (*places, _address("owners", owners, np.int64)))
        self._library.hothouse_add(*pointers, *map(ctypes.c_int64, rows.shape))


def _address(name: str, array: Any, dtype: Any) -> int:
    """Where an array's numbers are."""
    if (dtype is not None and array.dtype != dtype) or not array.flags.c_contiguous:
        raise TypeError(f"{name} must be a contiguous array of {dtype}, not of {array.dtype}")
    return int(array.ctypes.data)


@lru_cache(maxsize=1)
def library() -> Library | None:
    """The compiled trainer, where the build made one and it can be loaded."""
    file = kernel_file()
    if file is None:
        return None
    try:
        return Library(str(file))
    except OSError:
        return None
