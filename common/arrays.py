"""Named arrays as Flower records, without paying for a byte copy of each until somebody needs the bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from common.compat.flower import fill, written_as

if TYPE_CHECKING:
    from torch import Tensor

NamedArrays = dict[str, NDArray[Any]]
"""Named arrays: a model's parameters, say."""


@written_as(Array)
class LiveArray(Array):
    """A Flower Array that holds a NumPy array and serializes it only when its bytes are asked for.

    Flower's own Array serializes at once and parses at every look. Within a process, and between processes
    that share memory, nobody needs the bytes; over the network `data` gives the same ones.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        held = array.view()
        held.flags.writeable = False
        self.__dict__.update(dtype=_name(held.dtype), shape=held.shape, stype="numpy.ndarray", held=held)

    def numpy(self) -> NDArray[Any]:
        """The array itself, read-only."""
        held: NDArray[Any] = self.__dict__["held"]
        return held

    @property
    def data(self) -> bytes:  # type: ignore[override]
        """The array in NumPy's .npy format."""
        if "_data" not in self.__dict__:
            buffer = BytesIO()
            np.save(buffer, self.numpy(), allow_pickle=False)
            self.__dict__["_data"] = buffer.getvalue()
        data: bytes = self.__dict__["_data"]
        return data

    def __reduce__(self) -> tuple[Callable[[NDArray[Any]], Array], tuple[NDArray[Any]]]:
        held = self.numpy()
        # An array that does not lie in one piece would be pickled byte by byte, and could not travel beside the pickle.
        return _live, (held if held.flags.c_contiguous else held.copy(),)


def _live(array: NDArray[Any]) -> Array:
    return LiveArray(array)


@lru_cache(maxsize=32)
def _name(dtype: np.dtype[Any]) -> str:
    """NumPy writes a type's name anew each time, which takes longer than all else here."""
    return str(dtype)


def pack(arrays: NamedArrays) -> ArrayRecord:
    """Named arrays as a Flower record; the arrays must not be changed afterwards."""
    record = ArrayRecord()
    fill(record, {name: LiveArray(np.asarray(array)) for name, array in arrays.items()})
    return record


def unpack(record: ArrayRecord) -> NamedArrays:
    """The named arrays in a Flower record; they may be read-only."""
    return {name: array.numpy() for name, array in record.items()}


def tensors(arrays: NamedArrays) -> dict[str, Tensor]:
    """Named arrays as PyTorch tensors of their own."""
    import torch

    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def numbers(arrays: NamedArrays) -> int:
    """The bytes that the arrays' numbers take."""
    return sum(array.nbytes for array in arrays.values())
