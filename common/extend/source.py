"""A source of data that a function gives as arrays."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from common.data.arrays import KNOWN, table_of
from common.data.sources.files import digest, existing_file
from common.data.table import Table
from common.errors import InputError


class ArraySource:
    """Reads examples by `arrays`. What it gives is prepared once and cached.

    With `seeded` the examples follow from the options and the seed. Else, where `files` names files, they are read
    again when these change; where it names none, `arrays` is called for every run, and its result decides.
    """

    seeded: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def arrays(spec: Any, seed: int) -> Mapping[str, Any]:
        """`x_train` (examples, …) and `y_train`; where there are some `x_test`, `y_test` and `client`.

        `y` are labels, whole numbers or texts, or a regression's numbers; `client` says whose each training example is,
        for `partition: natural`.
        """

    @staticmethod
    def files(spec: Any) -> Iterable[str | Path]:
        """The files that decide what `arrays` gives."""
        return ()

    @classmethod
    def fingerprint(cls, spec: Any) -> str:
        """A text that changes when the content changes."""
        if cls.seeded:
            return str(spec.part_name)
        if files := [existing_file(str(file), "data.source") for file in cls.files(spec)]:
            return digest(files)
        arrays = cls._arrays(spec, 0)
        found = hashlib.blake2b(digest_size=16)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            found.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        return found.hexdigest()

    @classmethod
    def read(cls, spec: Any, seed: int) -> Table:
        """The whole table."""
        return table_of(cls._arrays(spec, seed), spec.part_name, getattr(spec, "task", "auto"))

    @classmethod
    def _arrays(cls, spec: Any, seed: int) -> dict[str, NDArray[Any]]:
        arrays = {name: np.asarray(array) for name, array in cls.arrays(spec, seed).items()}
        for name in arrays:
            if name not in KNOWN:
                raise InputError(f"{spec.part_name}: {name}: expected one of {', '.join(KNOWN)}", "data.source")
        return arrays
